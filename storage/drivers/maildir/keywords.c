#include "storage/drivers/maildir/maildir_impl.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "storage/drivers/maildir/dotlock.h"

#define NAME "dovecot-keywords"

/* A keyword that a client may be told: an atom (RFC 9051 flag-keyword). */
static bool
is_keyword(struct str s)
{
	if (s.n == 0 || s.n > RK_KEYWORD_LEN || s.p[0] == '\\')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '(' || c == ')' || c == '{' || c == '%' ||
		    c == '*' || c == '"' || c == '\\' || c == ']')
			return false;
	}
	return true;
}

static bool
is_taken(const char *const table[LETTERS], struct str name)
{
	for (size_t i = 0; i < LETTERS; i++) {
		if (table[i] != NULL && str_iis(name, table[i]))
			return true;
	}
	return false;
}

void
keywords_parse(struct str bytes, struct rk_arena *mem, const char *table[LETTERS])
{
	struct str line, number;
	uint32_t index;

	for (size_t i = 0; i < LETTERS; i++)
		table[i] = NULL;
	while (str_split(&bytes, '\n', &line)) {
		if (!str_split(&line, ' ', &number) || !str_u32(number, &index) ||
		    index >= LETTERS || !is_keyword(line) || table[index] != NULL ||
		    is_taken((const char *const *)table, line))
			continue;
		table[index] = str_dup(mem, line);
	}
}

enum rk_status
keywords_read(struct rk_box *box, struct rk_arena *mem, const char *table[LETTERS],
    struct stat *st_out, struct rk_err *err)
{
	struct rk_blob blob;
	enum rk_status status;
	int fd;

	*st_out = (struct stat){ 0 };
	keywords_parse(str_of("", 0), mem, table);
	status = file_open_regular(box->dir, NAME, O_RDONLY, &fd, st_out, err);
	if (status == RK_NOTFOUND)
		return RK_OK;
	if (status != RK_OK)
		return status;
	status = file_read(fd, KEYWORDS_FILE_MAX, mem, &blob, err);
	close(fd);
	if (status == RK_OK)
		keywords_parse(str_of(blob.data, blob.len), mem, table);
	return status;
}

uint64_t
keywords_letters(const char *const table[LETTERS], const struct rk_words *words)
{
	uint64_t letters = 0;

	for (size_t i = 0; i < words->n; i++) {
		for (unsigned k = 0; k < LETTERS; k++) {
			if (table[k] != NULL && strcasecmp(table[k], words->names[i]) == 0)
				letters |= UINT64_C(1) << k;
		}
	}
	return letters;
}

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
	status = dotlock_take(&lock, box->dir, NAME ".lock", box->account->lock_timeout_ms, err);
	if (status == RK_OK) {
		status = file_replace(box->dir, NAME, out.data, out.len, st.st_mode & 0666, err);
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

		if (is_taken(table, str_from(words->names[i])))
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
