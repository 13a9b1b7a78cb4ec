#include "storage/drivers/maildir/maildir_impl.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/utf8.h"
#include "lib/wire/mutf7.h"

/* Part of the file name before the first ':'. */
static struct str
base_of(struct str file)
{
	const char *colon = memchr(file.p, ':', file.n);

	return colon == NULL ? file : str_of(file.p, (size_t)(colon - file.p));
}

/* Value of `,K=digits` in the base; a number that is followed by anything else is ignored. */
static uint64_t
base_number(struct str base, char key)
{
	struct str rest = base, part;
	uint64_t value;

	if (!str_split(&rest, ',', &part))
		return RK_SIZE_UNKNOWN;
	while (str_split(&rest, ',', &part)) {
		if (part.n > 2 && part.p[0] == key && part.p[1] == '=' &&
		    str_u64(str_of(part.p + 2, part.n - 2), INT64_MAX, &value))
			return value;
	}
	return RK_SIZE_UNKNOWN;
}

static const struct {
	char letter;
	uint32_t flag;
} flag_letters[] = {
	{ 'D', RK_FLAG_DRAFT },
	{ 'F', RK_FLAG_FLAGGED },
	{ 'R', RK_FLAG_ANSWERED },
	{ 'S', RK_FLAG_SEEN },
	{ 'T', RK_FLAG_DELETED },
};

static void
info_parse(struct str info, struct maildir_name *out)
{
	if (!str_starts(info, ":2,"))
		return;
	for (size_t i = 3; i < info.n && info.p[i] != ','; i++) {
		char c = info.p[i];

		for (size_t k = 0; k < sizeof(flag_letters) / sizeof(flag_letters[0]); k++) {
			if (c == flag_letters[k].letter)
				out->flags |= flag_letters[k].flag;
		}
		if (c >= 'a' && c <= 'z')
			out->keywords.bits[0] |= UINT64_C(1) << (c - 'a');
	}
}

/* Letters of other programs (`P`, passed) and what stands behind a comma stay. */
static void
info_write(struct str info, uint32_t flags, uint64_t letters, struct buf *out)
{
	bool set[128] = { false };
	struct str tail = STR_LIT("");

	if (str_starts(info, ":2,")) {
		size_t i = 3;

		for (; i < info.n && info.p[i] != ','; i++) {
			unsigned char c = (unsigned char)info.p[i];

			set[c < 128 ? c : 0] = true;
		}
		tail = str_of(info.p + i, info.n - i);
	}
	for (size_t i = 0; i < sizeof(flag_letters) / sizeof(flag_letters[0]); i++)
		set[(unsigned char)flag_letters[i].letter] = (flags & flag_letters[i].flag) != 0;
	for (unsigned i = 0; i < LETTERS; i++)
		set['a' + i] = (letters >> i & 1) != 0;
	buf_add(out, ":2,", 3);
	for (unsigned c = '!'; c < 127; c++) {
		if (set[c])
			buf_addc(out, (char)c);
	}
	buf_add(out, tail.p, tail.n);
}

const char *
maildir_file_name(struct str file, uint32_t flags, uint64_t letters, struct rk_arena *mem)
{
	struct buf out = BUF_INIT;
	struct str base = base_of(file);
	const char *name;

	buf_add(&out, base.p, base.n);
	info_write(str_of(file.p + base.n, file.n - base.n), flags, letters, &out);
	name = rk_arena_dup(mem, out.data, out.len);
	buf_clear(&out);
	return name;
}

/* `<seconds>.M<micros>…`: only for an order among new messages, so anything else is 0. */
static void
time_parse(struct str base, struct maildir_name *out)
{
	size_t n = 0, m;

	while (n < base.n && base.p[n] >= '0' && base.p[n] <= '9')
		n++;
	if (!str_u64(str_of(base.p, n), INT64_MAX, &out->seconds))
		out->seconds = 0;
	if (n + 2 > base.n || base.p[n] != '.' || base.p[n + 1] != 'M')
		return;
	n += 2;
	for (m = n; m < base.n && base.p[m] >= '0' && base.p[m] <= '9'; m++)
		continue;
	if (!str_u64(str_of(base.p + n, m - n), INT64_MAX, &out->micros))
		out->micros = 0;
}

bool
maildir_name_parse(struct str file, struct maildir_name *out)
{
	*out = (struct maildir_name){ .base = base_of(file) };
	if (file.n == 0 || file.n > 255 || out->base.n == 0 || file.p[0] == '.')
		return false;
	for (size_t i = 0; i < file.n; i++) {
		unsigned char c = (unsigned char)file.p[i];

		if (c < 0x20 || c == 0x7f || c == '/')
			return false;
	}
	out->size = base_number(out->base, 'S');
	out->virtual = base_number(out->base, 'W');
	time_parse(out->base, out);
	info_parse(str_of(file.p + out->base.n, file.n - out->base.n), out);
	return true;
}

/*
 * One part of a mailbox name as it stands in a directory name: escaped as Dovecot's listescape
 * does, or `raw`, with backslash and tilde as they are, as Dovecot writes them without it.
 */
static enum rk_status
part_encode(struct str part, char separator, bool raw, struct buf *out, struct rk_err *err)
{
	struct buf escaped = BUF_INIT;
	enum rk_status status;

	for (size_t i = 0; i < part.n; i++) {
		char c = part.p[i];
		bool special = c == '.' || (!raw && (c == '\\' || (c == '~' && i == 0)));

		if (special && separator == '.') {
			if (c == '.') {
				buf_clear(&escaped);
				return rk_fail_plain(
				    err, RK_INVALID, "a dot separates levels in this store");
			}
			special = false;
		}
		if (special)
			buf_addf(&escaped, "\\%02x", (unsigned)(unsigned char)c);
		else
			buf_addc(&escaped, c);
	}
	status = mutf7_encode(str_of(escaped.data, escaped.len), out, err);
	buf_clear(&escaped);
	return status;
}

static enum rk_status
dir_of(const char *name, char separator, bool raw, struct rk_arena *mem, const char **dir_out,
    struct rk_err *err)
{
	struct buf dir = BUF_INIT;
	struct str rest = str_from(name), part;
	enum rk_status status = RK_OK;

	if (strcmp(name, "INBOX") == 0) {
		*dir_out = ".";
		return RK_OK;
	}
	if (rest.n == 0 || rest.p[rest.n - 1] == '/')
		status = rk_fail_plain(err, RK_INVALID, "an empty part in a mailbox name");
	while (status == RK_OK && str_split(&rest, '/', &part)) {
		if (part.n == 0)
			status = rk_fail_plain(err, RK_INVALID, "an empty part in a mailbox name");
		buf_addc(&dir, '.');
		if (status == RK_OK)
			status = part_encode(part, separator, raw, &dir, err);
	}
	if (status == RK_OK && (dir.len < 2 || dir.len > 255))
		status = rk_fail_plain(err, RK_INVALID, "a mailbox name of %zu bytes", dir.len);
	if (status == RK_OK)
		*dir_out = rk_arena_dup(mem, dir.data, dir.len);
	buf_clear(&dir);
	return status;
}

enum rk_status
maildir_dir_of(const char *name, char separator, struct rk_arena *mem, const char **dir_out,
    struct rk_err *err)
{
	return dir_of(name, separator, false, mem, dir_out, err);
}

enum rk_status
maildir_dir_raw(const char *name, char separator, struct rk_arena *mem, const char **dir_out,
    struct rk_err *err)
{
	return dir_of(name, separator, true, mem, dir_out, err);
}

/* Only the three escapes that part_encode writes are undone; any other backslash is one. */
static bool
part_decode(struct str part, char separator, struct buf *out)
{
	struct buf plain = BUF_INIT;
	struct rk_err err;
	bool ok = part.n > 0 && mutf7_decode(part, &plain, &err) == RK_OK;

	for (size_t i = 0; ok && i < plain.len; i++) {
		const char *p = plain.data + i;
		char c = *p;

		if (c == '\\' && separator != '.' && plain.len - i >= 3) {
			bool backslash = memcmp(p + 1, "5c", 2) == 0;

			if (memcmp(p + 1, "2e", 2) == 0)
				c = '.';
			else if (memcmp(p + 1, "7e", 2) == 0)
				c = '~';
			if (c != '\\' || backslash)
				i += 2;
		}
		buf_addc(out, c);
	}
	buf_clear(&plain);
	return ok;
}

bool
maildir_name_of(const char *dir, char separator, struct rk_arena *mem, const char **name_out)
{
	struct buf name = BUF_INIT;
	struct str rest = str_from(dir), part;
	struct rk_err err;
	const char *again;
	bool ok;

	/* A leading dot is before each level; without it this is no mailbox of ours. */
	ok = str_split(&rest, '.', &part) && part.n == 0 && rest.n > 0 && rest.p[rest.n - 1] != '.';
	while (ok && str_split(&rest, '.', &part)) {
		if (name.len > 0)
			buf_addc(&name, '/');
		ok = part_decode(part, separator, &name);
	}
	ok = ok && name.len <= RK_NAME_MAX && utf8_valid(name.data, name.len) &&
	     !str_iis(str_of(name.data, name.len), "INBOX");
	if (ok) {
		*name_out = rk_arena_dup(mem, name.data, name.len);
		/* No directory has two names, and of two directories with one name the first
		 * spelling counts (V14). */
		ok = (maildir_dir_of(*name_out, separator, mem, &again, &err) == RK_OK &&
			 strcmp(again, dir) == 0) ||
		     (maildir_dir_raw(*name_out, separator, mem, &again, &err) == RK_OK &&
			 strcmp(again, dir) == 0);
	}
	buf_clear(&name);
	return ok;
}
