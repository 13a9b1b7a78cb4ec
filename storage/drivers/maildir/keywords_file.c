/* `dovecot-keywords`, and both files of the table together. */
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/dotlock.h"
#include "storage/drivers/maildir/keywords.h"

#define KEYWORDS_FILE_MAX ((size_t)64 << 10)

static enum rk_status
letters_read(
    struct rk_box *box, struct rk_arena *mem, const char *letters[LETTERS], struct rk_err *err)
{
	struct rk_blob blob;
	enum rk_status status;
	int fd;

	keywords_parse(str_of("", 0), mem, letters);
	status = file_open_regular(box->dir, KEYWORDS_FILE, O_RDONLY, &fd, NULL, err);
	if (status == RK_NOTFOUND)
		return RK_OK;
	if (status != RK_OK)
		return status;
	status = file_read(fd, KEYWORDS_FILE_MAX, mem, &blob, err);
	close(fd);
	if (status == RK_OK)
		keywords_parse(str_of(blob.data, blob.len), mem, letters);
	return status;
}

enum rk_status
keywords_read(
    struct rk_box *box, struct rk_arena *mem, struct keyword_table *out, struct rk_err *err)
{
	struct attrs attrs;
	enum rk_status status;

	*out = (struct keyword_table){ .nextra = 0 };
	status = letters_read(box, mem, out->letters, err);
	if (status == RK_OK)
		status = attrs_read(box->dir, EXTRA_FILE, mem, &attrs, err);
	if (status == RK_OK)
		keywords_extra(&attrs, mem, out);
	return status;
}

/* Readers take no lock, so the file is replaced; Dovecot's writers take this one. */
static enum rk_status
letters_write(struct rk_box *box, const char *const letters[LETTERS], struct rk_err *err)
{
	struct buf out = BUF_INIT;
	struct dotlock lock;
	enum rk_status status;
	struct stat st;

	if (fstat(box->dir, &st) < 0)
		return rk_fail(err, RK_TEMP, "stat %s", box->name);
	for (unsigned i = 0; i < LETTERS; i++) {
		if (letters[i] != NULL)
			buf_addf(&out, "%u %s\n", i, letters[i]);
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

enum rk_status
keywords_save(struct rk_box *box, const struct keyword_table *table, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	if (table->extra_new > 0)
		status = extra_save(box, table, err);
	if (status == RK_OK && table->letters_new)
		status = letters_write(box, table->letters, err);
	return status;
}
