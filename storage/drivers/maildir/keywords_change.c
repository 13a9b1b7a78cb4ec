/* New keywords in `dovecot-keywords`. */
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/dotlock.h"
#include "storage/drivers/maildir/extra.h"

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
		status = dotlock_keep(&lock, err);
		if (status == RK_OK)
			status = file_replace(
			    box->dir, KEYWORDS_FILE, out.data, out.len, st.st_mode & 0666, err);
		dotlock_drop(&lock);
	}
	buf_clear(&out);
	return status;
}

/* A letter for the name if one is free. */
static bool
letter_take(const char *table[LETTERS], const char *name)
{
	for (unsigned k = 0; k < LETTERS; k++) {
		if (table[k] == NULL) {
			table[k] = name;
			return true;
		}
	}
	return false;
}

enum rk_status
keywords_place(struct rk_box *box, const struct rk_words *words, bool make, struct rk_arena *mem,
    struct keyword_places *out, struct rk_err *err)
{
	const char *table[LETTERS], **names = rk_arena_array(mem, words->n + 1, sizeof(*names));
	struct extra *extra = rk_arena_alloc(mem, sizeof(*extra));
	bool letters_new = false, extra_new = false;
	struct stat st;
	enum rk_status status;

	*out = (struct keyword_places){ .extra = { names, 0 } };
	if (words->n == 0)
		return RK_OK;
	status = keywords_read(box, mem, table, &st, err);
	if (status == RK_OK)
		status = extra_read(box, mem, extra, err);
	if (status != RK_OK)
		return status;
	for (size_t i = 0; i < words->n; i++) {
		struct str name = str_from(words->names[i]);
		bool known = extra_has(extra, name);

		if (keywords_taken(table, name))
			continue;
		if (!known && !make) {
			out->missing = true;
			continue;
		}
		if (!known && letter_take(table, words->names[i])) {
			letters_new = true;
			continue;
		}
		extra_new = extra_new || !known;
		names[out->extra.n++] = words->names[i];
	}
	out->letters = keywords_letters(table, words);
	if (extra_new) {
		struct extra_change change = { .mode = RK_STORE_ADD, .words = out->extra };

		status = extra_change(box, &change, err);
	}
	return status == RK_OK && letters_new ? table_write(box, table, err) : status;
}
