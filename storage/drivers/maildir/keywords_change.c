/* New keywords in `dovecot-keywords`. */
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/dotlock.h"
#include "storage/drivers/maildir/maildir_impl.h"

/* Readers take no lock, so the file is replaced; Dovecot's writers take this one. */
static enum rk_status
table_write(struct rk_box *box, const char *const table[LETTERS], struct rk_err *err)
{
	struct buf out = BUF_INIT;
	struct dotlock lock;
	enum rk_status status;
	struct stat st;

	if (fstat(box->dir, &st) < 0)
		return rk_fail(err, RK_TEMP, "stat %s", box->name);
	for (unsigned i = 0; i < LETTERS; i++) {
		if (table[i] != NULL)
			buf_addf(&out, "%u %s\n", i, table[i]);
	}
	status = dotlock_take(
	    &lock, box->dir, KEYWORDS_FILE ".lock", box->account->lock_timeout_ms, err);
	if (status == RK_OK) {
		status = file_replace(
		    box->dir, KEYWORDS_FILE, out.data, out.len, st.st_mode & 0666, err);
		dotlock_drop(&lock);
	}
	buf_clear(&out);
	return status;
}

enum rk_status
keywords_assign(struct rk_box *box, const struct rk_words *words, struct rk_arena *mem,
    uint64_t *letters_out, struct rk_err *err)
{
	const char *table[LETTERS];
	bool added = false;
	struct stat st;
	enum rk_status status;

	*letters_out = 0;
	if (words->n == 0)
		return RK_OK;
	status = keywords_read(box, mem, table, &st, err);
	if (status != RK_OK)
		return status;
	for (size_t i = 0; i < words->n; i++) {
		unsigned k = 0;

		if (keywords_taken(table, str_from(words->names[i])))
			continue;
		while (k < LETTERS && table[k] != NULL)
			k++;
		if (k == LETTERS)
			return rk_fail_plain(
			    err, RK_LIMIT, "%s has %d keywords", box->name, LETTERS);
		table[k] = words->names[i];
		added = true;
	}
	*letters_out = keywords_letters(table, words);
	return added ? table_write(box, table, err) : RK_OK;
}
