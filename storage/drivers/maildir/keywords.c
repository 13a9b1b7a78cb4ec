#include "storage/drivers/maildir/maildir_impl.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"

/* A keyword that a client may be told: an atom (RFC 9051 flag-keyword). */
bool
keyword_valid(struct str s)
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

bool
keywords_taken(const char *const table[LETTERS], struct str name)
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
		    index >= LETTERS || !keyword_valid(line) || table[index] != NULL ||
		    keywords_taken((const char *const *)table, line))
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
	status = file_open_regular(box->dir, KEYWORDS_FILE, O_RDONLY, &fd, st_out, err);
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
