#include "storage/drivers/maildir/deliver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/bug.h"
#include "lib/base/file.h"
#include "lib/base/os_linux.h"
#include "storage/drivers/maildir/dotlock.h"
#include "storage/drivers/maildir/keywords.h"

#define COPY_BLOCK ((size_t)64 << 10)
#define HOST_MAX 64

enum rk_status
deliver_begin(
    struct deliver *d, struct rk_box *box, size_t max, struct rk_arena *mem, struct rk_err *err)
{
	enum rk_status status;

	*d = (struct deliver){ .box = box, .mem = mem, .tmp = -1, .cur = -1, .max = max };
	if (box->account->readonly)
		return rk_fail_plain(err, RK_DENIED, "the store is read-only");
	d->msgs = rk_arena_array(mem, max + 1, sizeof(*d->msgs));
	status = file_open_dir(box->dir, "cur", &d->cur, err);
	if (status == RK_OK)
		status = file_open_dir(box->dir, "tmp", &d->tmp, err);
	/* Programs that copy a store leave empty directories out. */
	if (status == RK_NOTFOUND && d->cur >= 0) {
		struct stat st;

		if (fstat(d->cur, &st) < 0)
			return rk_fail(err, RK_TEMP, "stat cur of %s", box->name);
		status = file_make_dir(box->dir, "tmp", st.st_mode & 0777, err);
		if (status == RK_OK)
			status = file_open_dir(box->dir, "tmp", &d->tmp, err);
	}
	return status;
}

/* The host's name with nothing in it that means something in a file name of a Maildir. */
static const char *
host_name(char host[HOST_MAX + 1])
{
	char *p;

	if (gethostname(host, HOST_MAX) < 0 || host[0] == '\0')
		snprintf(host, HOST_MAX, "localhost");
	host[HOST_MAX] = '\0';
	for (p = host; *p != '\0'; p++) {
		bool good = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
		            (*p >= 'A' && *p <= 'Z') || *p == '.' || *p == '-';

		if (!good)
			*p = '_';
	}
	return host;
}

/* A base name that no other process and no other time has. */
static const char *
base_new(struct deliver *d, uint64_t size, uint64_t virtual)
{
	static unsigned count;
	char host[HOST_MAX + 1], sizes[64] = "";
	struct timespec now;
	uint32_t random;
	int n = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	os_random(&random, sizeof(random));
	if (size != RK_SIZE_UNKNOWN)
		n = snprintf(sizes, sizeof(sizes), ",S=%" PRIu64, size);
	if (virtual != RK_SIZE_UNKNOWN)
		snprintf(sizes + n, sizeof(sizes) - (size_t)n, ",W=%" PRIu64, virtual);
	return rk_arena_printf(d->mem, "%lld.M%06ldP%dQ%uR%08x.%s%s", (long long)now.tv_sec,
	    now.tv_nsec / 1000, (int)getpid(), count++, random, host_name(host), sizes);
}

/* Who may use the mailbox may use its messages: a shared store has group bits. */
static enum rk_status
file_new(struct deliver *d, const char *base, int *fd_out, struct rk_err *err)
{
	struct stat st;

	if (fstat(d->box->dir, &st) < 0)
		return rk_fail(err, RK_TEMP, "stat %s", d->box->name);
	return file_open(d->tmp, base, O_WRONLY | O_CREAT | O_EXCL, st.st_mode & 0666, fd_out, err);
}

static enum rk_status
bytes_copy(int to, int from, uint64_t offset, uint64_t size, struct rk_err *err)
{
	char block[COPY_BLOCK];

	while (size > 0) {
		size_t want = size < COPY_BLOCK ? (size_t)size : COPY_BLOCK;
		ssize_t got = pread(from, block, want, (off_t)offset);
		enum rk_status status;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return rk_fail(err, RK_TEMP, "read a message");
		if (got == 0)
			return rk_fail_plain(err, RK_CORRUPT, "a message became shorter");
		status = file_write(to, block, (size_t)got, err);
		if (status != RK_OK)
			return status;
		offset += (uint64_t)got;
		size -= (uint64_t)got;
	}
	return RK_OK;
}

/* A file in tmp/ that becomes a message: bytes, date, on disk. It goes again if that fails. */
static enum rk_status
file_fill(
    struct deliver *d, const char *base, int from, const struct rk_new_msg *msg, struct rk_err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = msg->internal_date } };
	enum rk_status status;
	int fd;

	status = file_new(d, base, &fd, err);
	if (status != RK_OK)
		return status;
	status = bytes_copy(fd, from, msg->offset, msg->size, err);
	if (status == RK_OK && futimens(fd, times) < 0)
		status = rk_fail(err, RK_TEMP, "set the time of a message");
	if (status == RK_OK)
		status = file_sync(fd, base, err);
	if (close(fd) < 0 && status == RK_OK)
		status = rk_fail(err, file_status(errno), "close %s", base);
	if (status != RK_OK)
		unlinkat(d->tmp, base, 0);
	return status;
}

static void
msg_add(struct deliver *d, const char *base, uint32_t flags, struct rk_words keywords)
{
	if (d->n == d->max)
		rk_bug("more messages than announced");
	d->msgs[d->n++] =
	    (struct deliver_msg){ .base = base, .flags = flags, .keywords = keywords };
}

enum rk_status
deliver_bytes(struct deliver *d, const struct rk_new_msg *msg, struct rk_err *err)
{
	const char *base = base_new(d, msg->size, msg->size);
	enum rk_status status = file_fill(d, base, msg->fd, msg, err);

	if (status == RK_OK)
		msg_add(d, base, msg->flags, msg->keywords);
	return status;
}

/* What can't be linked (another file system, too many links, another's file) is copied. */
static bool
must_copy(int error)
{
	return error == EXDEV || error == EMLINK || error == EPERM || error == EACCES ||
	       error == EOPNOTSUPP || error == ENOSYS;
}

enum rk_status
deliver_same(struct deliver *d, const struct deliver_source *source, struct rk_err *err)
{
	const char *base = base_new(d, source->size, source->virtual);
	enum rk_status status;
	struct stat st;
	int fd;

	status = file_open_regular(source->dir, source->file, O_RDONLY, &fd, &st, err);
	if (status != RK_OK)
		return status;
	/* Whoever delivered it may not have waited for the disk; we promise it. */
	status = file_sync(fd, source->file, err);
	if (status == RK_OK && linkat(source->dir, source->file, d->tmp, base, 0) < 0) {
		struct rk_new_msg msg = { .size = (uint64_t)st.st_size,
			.internal_date = st.st_mtim.tv_sec };

		if (must_copy(errno))
			status = file_fill(d, base, fd, &msg, err);
		else
			status = rk_fail(err, file_status(errno), "link %s", source->file);
	}
	close(fd);
	if (status == RK_OK)
		msg_add(d, base, source->flags, source->keywords);
	return status;
}

/* Names of the files in cur/; keywords get their places under the lock. */
static enum rk_status
names_make(struct deliver *d, struct rk_err *err)
{
	struct keyword_table *table = rk_arena_alloc(d->mem, sizeof(*table));
	enum rk_status status = keywords_read(d->box, d->mem, table, err);

	for (size_t i = 0; i < d->n && status == RK_OK; i++) {
		struct deliver_msg *m = &d->msgs[i];
		struct keyword_places places;

		status = keywords_make(table, &m->keywords, d->mem, &places, err);
		if (status != RK_OK)
			break;
		m->file = maildir_file_name(str_from(m->base), m->flags, places.letters, d->mem);
		m->extra = places.extra;
	}
	return status == RK_OK ? keywords_save(d->box, table, err) : status;
}

/* Before anybody can see the messages. */
static enum rk_status
extras_store(struct deliver *d, const struct rk_uids *uids, struct rk_err *err)
{
	struct extra_words *msgs = rk_arena_array(d->mem, d->n + 1, sizeof(*msgs));
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (d->msgs[i].extra.n > 0)
			msgs[n++] = (struct extra_words){ uids->uids[i], d->msgs[i].extra };
	}
	return extra_change(d->box, RK_STORE_ADD, msgs, n, err);
}

/* What stands in cur/ already is taken back: nobody was told of it. */
static void
names_undo(struct deliver *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		unlinkat(d->cur, d->msgs[i].file, 0);
}

static enum rk_status
rename_all(struct deliver *d, struct dotlock *lock, struct rk_err *err)
{
	enum rk_status status = RK_OK;
	size_t i;

	for (i = 0; i < d->n && status == RK_OK; i++) {
		const struct deliver_msg *m = &d->msgs[i];

		status = dotlock_keep(lock, err);
		if (status == RK_OK && renameat(d->tmp, m->base, d->cur, m->file) < 0)
			status = rk_fail(err, file_status(errno), "rename %s", m->base);
	}
	if (status == RK_OK)
		status = file_sync(d->cur, "cur", err);
	if (status != RK_OK)
		names_undo(d, i);
	return status;
}

enum rk_status
deliver_commit(struct deliver *d, struct rk_uids *out, struct rk_err *err)
{
	struct str *list = rk_arena_array(d->mem, d->n + 1, sizeof(*list));
	const struct bases bases = { list, d->n };
	struct dotlock lock;
	enum rk_status status;

	for (size_t i = 0; i < d->n; i++)
		list[i] = str_from(d->msgs[i].base);
	/* The lock is held until the files are in their place: a later UID must not be seen before
	 * an earlier one. */
	status = uidlist_lock(d->box, &lock, err);
	if (status != RK_OK)
		return status;
	status = names_make(d, err);
	if (status == RK_OK)
		status = uidlist_give(d->box, &lock, &bases, d->mem, out, err);
	if (status == RK_OK)
		status = extras_store(d, out, err);
	if (status == RK_OK)
		status = rename_all(d, &lock, err);
	dotlock_drop(&lock);
	if (status == RK_OK)
		d->n = 0;
	return status;
}

void
deliver_end(struct deliver *d)
{
	for (size_t i = 0; i < d->n; i++)
		unlinkat(d->tmp, d->msgs[i].base, 0);
	d->n = 0;
	if (d->tmp >= 0)
		close(d->tmp);
	if (d->cur >= 0)
		close(d->cur);
	d->tmp = d->cur = -1;
}
