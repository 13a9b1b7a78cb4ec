#include "storage/drivers/maildir/maildir_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/os_linux.h"
#include "lib/base/siphash.h"
#include "storage/drivers/maildir/dotlock.h"

/*
 * `dovecot-uidlist`, version 3: a header `3 V<uidvalidity> N<next-uid> G<guid>` and a line per
 * message,
 * `<uid>[ <K><value>]… :<base name>`. Readers take no lock: lines are only appended, or the whole
 * file is replaced. A last line without LF is being written, or was torn by a crash: it does not
 * count, and the next writer replaces the file, since Dovecot would misread a line glued to it.
 *
 * A damaged list never makes us hand out a UID twice: the good lines are kept, everything else gets
 * UIDs above the largest number seen anywhere, and the UIDVALIDITY changes only if no header can be
 * read, or if the numbers run out (a damaged line may claim any of them).
 */

#define NAME "dovecot-uidlist"
/* UIDs above are not given: the list starts anew, long before the numbers wrap. */
#define UID_CEILING (UINT32_MAX - (1u << 20))

struct uid_entry *
uidlist_find(const struct uidlist *list, struct str base)
{
	size_t mask = list->table_size - 1;

	if (list->table_size == 0)
		return NULL;
	for (size_t i = siphash(base.p, base.n) & mask; list->table[i] != 0; i = (i + 1) & mask) {
		struct uid_entry *e = &list->entries[list->table[i] - 1];

		if (str_eq(e->base, base))
			return e;
	}
	return NULL;
}

/* Descending by UID, so that of two lines with one name the later one is found first. */
static void
table_build(struct uidlist *list, struct rk_arena *mem)
{
	size_t mask;

	list->table_size = 16;
	while (list->table_size < list->n * 2)
		list->table_size *= 2;
	list->table = rk_arena_array(mem, list->table_size, sizeof(*list->table));
	mask = list->table_size - 1;
	for (size_t k = list->n; k-- > 0;) {
		size_t i = siphash(list->entries[k].base.p, list->entries[k].base.n) & mask;

		while (list->table[i] != 0)
			i = (i + 1) & mask;
		list->table[i] = (uint32_t)(k + 1);
	}
}

static bool
guid_parse(struct str hex, unsigned char guid[RK_GUID_LEN])
{
	if (hex.n != 2 * RK_GUID_LEN)
		return false;
	for (size_t i = 0; i < RK_GUID_LEN; i++) {
		char byte[3] = { hex.p[2 * i], hex.p[2 * i + 1], '\0' };

		if (!isxdigit((unsigned char)byte[0]) || !isxdigit((unsigned char)byte[1]))
			return false;
		guid[i] = (unsigned char)strtoul(byte, NULL, 16);
	}
	return true;
}

/* `3 V… N… G…`; unknown fields are kept for a rewrite. */
static void
header_parse_v3(struct str line, struct rk_arena *mem, struct uidlist *list)
{
	struct buf extra = BUF_INIT;
	struct str field;

	while (str_split(&line, ' ', &field)) {
		struct str value = str_of(field.p + 1, field.n > 0 ? field.n - 1 : 0);
		uint32_t number;

		if (field.n == 0)
			continue;
		if (field.p[0] == 'V' && str_u32(value, &number)) {
			list->uidvalidity = list->old_validity = number;
		} else if (field.p[0] == 'N' && str_u32(value, &number)) {
			list->uidnext = number;
		} else if (field.p[0] == 'G' && guid_parse(value, list->guid)) {
			list->has_guid = true;
		} else if (field.p[0] != 'V' && field.p[0] != 'N' && field.p[0] != 'G') {
			buf_addc(&extra, ' ');
			buf_add(&extra, field.p, field.n);
		}
	}
	list->extra = str_of(rk_arena_dup(mem, extra.data, extra.len), extra.len);
	buf_clear(&extra);
}

static void
header_parse(struct str line, struct rk_arena *mem, struct uidlist *list)
{
	struct str version, validity, next;

	if (!str_split(&line, ' ', &version))
		return;
	if (str_is(version, "3")) {
		header_parse_v3(line, mem, list);
	} else if (str_is(version, "1") && str_split(&line, ' ', &validity) &&
		   str_split(&line, ' ', &next)) {
		list->rewrite = true;
		if (!str_u32(validity, &list->uidvalidity) || !str_u32(next, &list->uidnext))
			list->uidvalidity = 0;
		list->old_validity = list->uidvalidity;
	}
}

/* Where the name starts: behind the first ` :`; version 1 has a plain space. */
static bool
line_split(struct str line, struct str *uid, struct str *fields, struct str *name)
{
	struct str rest = line;
	const char *mark;

	if (!str_split(&rest, ' ', uid) || rest.n == 0)
		return false;
	if (rest.p[0] == ':') {
		*fields = str_of(rest.p, 0);
		*name = str_of(rest.p + 1, rest.n - 1);
		return true;
	}
	mark = memmem(rest.p, rest.n, " :", 2);
	if (mark == NULL) {
		*fields = str_of(rest.p, 0);
		*name = rest;
		return true;
	}
	*fields = str_of(rest.p, (size_t)(mark - rest.p));
	*name = str_of(mark + 2, rest.n - fields->n - 2);
	return true;
}

static uint64_t
field_number(struct str fields, char key)
{
	struct str field;
	uint64_t value;

	while (str_split(&fields, ' ', &field)) {
		if (field.n > 1 && field.p[0] == key &&
		    str_u64(str_of(field.p + 1, field.n - 1), INT64_MAX, &value))
			return value;
	}
	return RK_SIZE_UNKNOWN;
}

static void
line_parse(struct str line, struct uidlist *list, uint32_t *max_uid)
{
	struct uid_entry *e = &list->entries[list->n];
	struct str uid, name;
	const char *colon;

	*e = (struct uid_entry){ 0 };
	if (!line_split(line, &uid, &e->fields, &name) || !str_u32(uid, &e->uid)) {
		list->rewrite = true;
		list->bad_lines++;
		return;
	}
	/* A line that breaks the order says nothing of its message, but its UID is spent. */
	if (e->uid <= *max_uid || e->uid == UINT32_MAX || name.n == 0 || name.p[0] == ':' ||
	    memchr(name.p, '/', name.n) != NULL || memchr(name.p, '\0', name.n) != NULL) {
		if (e->uid > *max_uid && e->uid < UINT32_MAX)
			*max_uid = e->uid;
		list->rewrite = true;
		list->bad_lines++;
		return;
	}
	*max_uid = e->uid;
	colon = memchr(name.p, ':', name.n);
	e->base = colon == NULL ? name : str_of(name.p, (size_t)(colon - name.p));
	e->virtual = field_number(e->fields, 'W');
	e->size = field_number(e->fields, 'S');
	list->n++;
}

static size_t
lines_count(struct str bytes)
{
	size_t n = 0;
	const char *p = bytes.p, *end = bytes.p + bytes.n;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n++;
		p++;
	}
	return n;
}

/* Nothing of the old numbers is used any more, under a new UIDVALIDITY above the old one. */
static void
list_restart(struct uidlist *list)
{
	list->uidvalidity = 0;
	list->uidnext = 1;
	list->n = 0;
}

void
uidlist_parse(struct str bytes, struct rk_arena *mem, struct uidlist *out)
{
	uint32_t max_uid = 0;
	struct str line;

	*out = (struct uidlist){ .extra = STR_LIT("") };
	/* Only whole lines count. */
	if (bytes.n > 0 && bytes.p[bytes.n - 1] != '\n') {
		const char *lf = memrchr(bytes.p, '\n', bytes.n);

		out->rewrite = true;
		bytes.n = lf == NULL ? 0 : (size_t)(lf - bytes.p) + 1;
	}
	out->entries = rk_arena_array(mem, lines_count(bytes) + 1, sizeof(*out->entries));
	if (str_split(&bytes, '\n', &line))
		header_parse(line, mem, out);
	/* Without N nobody knows which UIDs were given to messages that are gone. */
	if (out->uidnext == 0)
		out->uidvalidity = 0;
	while (str_split(&bytes, '\n', &line))
		line_parse(line, out, &max_uid);
	if (out->uidnext <= max_uid)
		out->uidnext = max_uid + 1;
	if (out->uidvalidity == 0 || out->uidnext > UID_CEILING)
		list_restart(out);
	out->rewrite = out->rewrite || !out->has_guid || out->uidvalidity == 0;
	table_build(out, mem);
}

enum rk_status
uidlist_read(struct rk_box *box, struct rk_arena *mem, struct uidlist *out, struct rk_err *err)
{
	struct rk_blob blob;
	enum rk_status status;
	struct stat st;
	int fd;

	status = file_open_regular(box->dir, NAME, O_RDONLY, &fd, &st, err);
	if (status == RK_NOTFOUND) {
		uidlist_parse(str_of("", 0), mem, out);
		return RK_OK;
	}
	if (status != RK_OK)
		return status;
	status = file_read(fd, UIDLIST_MAX, mem, &blob, err);
	close(fd);
	if (status != RK_OK)
		return status;
	uidlist_parse(str_of(blob.data, blob.len), mem, out);
	/* A second name (a backup made of hard links) must not change with ours. */
	out->rewrite = out->rewrite || st.st_nlink != 1;
	return RK_OK;
}

static void
line_write(struct buf *out, uint32_t uid, struct str fields, struct str base)
{
	buf_addf(out, "%u ", uid);
	if (fields.n > 0) {
		buf_add(out, fields.p, fields.n);
		buf_addc(out, ' ');
	}
	buf_addc(out, ':');
	buf_add(out, base.p, base.n);
	buf_addc(out, '\n');
}

/* The whole file anew: temporary file, fsync, rename, fsync of the directory. */
static enum rk_status
list_rewrite(struct rk_box *box, const struct uidlist *list, const struct buf *added,
    uint32_t uidnext, struct rk_err *err)
{
	struct buf out = BUF_INIT;
	enum rk_status status;
	struct stat st;

	/* Who may use the mailbox may use its list: a shared store has group bits. */
	if (fstat(box->dir, &st) < 0)
		return rk_fail(err, RK_TEMP, "fstat %s", box->name);

	buf_addf(&out, "3 V%u N%u G", list->uidvalidity, uidnext);
	for (size_t i = 0; i < RK_GUID_LEN; i++)
		buf_addf(&out, "%02x", list->guid[i]);
	buf_add(&out, list->extra.p, list->extra.n);
	buf_addc(&out, '\n');
	for (size_t i = 0; i < list->n; i++)
		line_write(
		    &out, list->entries[i].uid, list->entries[i].fields, list->entries[i].base);
	buf_add(&out, added->data, added->len);
	status = file_replace(box->dir, NAME, out.data, out.len, st.st_mode & 0666, err);
	buf_clear(&out);
	return status;
}

/* Lines at the end. What a failed write left behind is cut off again. */
static enum rk_status
list_append(struct rk_box *box, const struct buf *added, struct rk_err *err)
{
	enum rk_status status;
	struct stat st;
	int fd;

	status = file_open_regular(box->dir, NAME, O_WRONLY | O_APPEND, &fd, &st, err);
	if (status != RK_OK)
		return status;
	status = file_write(fd, added->data, added->len, err);
	if (status == RK_OK)
		status = file_sync(fd, NAME, err);
	if (status != RK_OK && ftruncate(fd, st.st_size) < 0)
		rk_log(RK_LOG_ERROR, "maildir.uidlist", "cannot cut %s back", NAME);
	close(fd);
	return status;
}

static enum rk_status
list_complete(struct rk_box *box, struct uidlist *list, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	if (list->uidvalidity == 0)
		status =
		    uidvalidity_next(box->account, list->old_validity, &list->uidvalidity, err);
	if (!list->has_guid) {
		os_random(list->guid, sizeof(list->guid));
		list->has_guid = true;
	}
	return status;
}

static enum rk_status
assign_locked(struct rk_box *box, struct dotlock *lock, const struct str *bases, size_t n,
    struct rk_arena *mem, struct rk_err *err)
{
	struct uidlist list;
	struct buf added = BUF_INIT;
	enum rk_status status;
	uint32_t next;

	status = uidlist_read(box, mem, &list, err);
	if (status == RK_OK && list.bad_lines > 0)
		rk_log(RK_LOG_WARN, "maildir.uidlist_corrupt",
		    "%s: %zu bad lines; %zu UIDs are kept, the other messages get new ones",
		    box->name, list.bad_lines, list.n);
	if (status == RK_OK)
		status = list_complete(box, &list, err);
	if (status != RK_OK)
		return status;
	next = list.uidnext;
	for (size_t i = 0; i < n; i++) {
		if (uidlist_find(&list, bases[i]) != NULL)
			continue; /* another process was faster */
		if (next > UID_CEILING) {
			buf_clear(&added);
			return rk_fail_plain(err, RK_LIMIT, "all UIDs of %s are given", box->name);
		}
		line_write(&added, next++, str_of("", 0), bases[i]);
	}
	/* Held too long (a stopped process), the lock may be another's by now. */
	status = dotlock_keep(lock, err);
	if (status == RK_OK && list.rewrite)
		status = list_rewrite(box, &list, &added, next, err);
	else if (status == RK_OK && added.len > 0)
		status = list_append(box, &added, err);
	buf_clear(&added);
	return status;
}

enum rk_status
uidlist_assign(struct rk_box *box, const struct str *bases, size_t n, struct rk_arena *mem,
    struct uidlist *out, struct rk_err *err)
{
	struct dotlock lock;
	enum rk_status status;

	if (box->account->readonly)
		return rk_fail_plain(
		    err, RK_DENIED, "UIDs are due in %s, which is read-only", box->name);
	status = dotlock_take(&lock, box->dir, NAME ".lock", box->account->lock_timeout_ms, err);
	if (status != RK_OK)
		return status;
	status = assign_locked(box, &lock, bases, n, mem, err);
	dotlock_drop(&lock);
	if (status == RK_OK)
		status = uidlist_read(box, mem, out, err);
	return status;
}
