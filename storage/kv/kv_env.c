/*
 * The environment's files and the lock beside them.
 *
 * LMDB trusts its files: a meta page that names more pages than the file has ends in SIGBUS. So the
 * two meta pages are read and checked here before LMDB maps them (layout: struct MDB_meta of LMDB
 * 0.9, data version 1), and the file's length before each transaction (kv_lmdb.c).
 *
 * The lock file is never removed by us, and locked by open file description: the lock goes with the
 * process that dies, and waiting for it has an end, which LMDB's own mutex lacks.
 */
#include "storage/kv/kv_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/bug.h"
#include "lib/base/file.h"
#include "lib/base/crc32c.h"

#define READERS_MAX 512
#define META_MAGIC 0xbeefc0deu
#define META_VERSION 1u
#define PAGE_META 0x08
#define DEPTH_MAX 32

struct meta_db {
	uint32_t pad; /* of the first: the page size */
	uint16_t flags;
	uint16_t depth;
	uint64_t branch_pages;
	uint64_t leaf_pages;
	uint64_t overflow_pages;
	uint64_t entries;
	uint64_t root;
};

struct meta_page {
	uint64_t pgno;
	uint16_t pad;
	uint16_t flags;
	uint32_t pages;
	uint32_t magic;
	uint32_t version;
	uint64_t address;
	uint64_t map_size;
	struct meta_db dbs[2];
	uint64_t last_pgno;
	uint64_t txnid;
};
_Static_assert(sizeof(struct meta_page) == 16 + 136, "LMDB's meta page on 64-bit systems");

struct seal {
	uint32_t magic;
	uint32_t crc; /* of what follows */
	uint64_t dev;
	uint64_t ino;
	uint64_t txnid;
};
#define SEAL_MAGIC 0x52535631u

enum rk_status
kv_fail(struct kv *kv, int rc, const char *what, struct rk_err *err)
{
	enum rk_status status = RK_CORRUPT;

	switch (rc) {
	case MDB_MAP_FULL:
		kv->grow = true;
		return rk_fail_plain(err, RK_AGAIN, "%s: the map is full", what);
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		status = RK_QUOTA;
		break;
	case EACCES:
	case EPERM:
	case EROFS:
		status = RK_DENIED;
		break;
	case MDB_TXN_FULL:
		status = RK_LIMIT;
		break;
	case MDB_READERS_FULL:
		status = RK_TEMP;
		break;
	default:
		/* EINVAL is what LMDB says of a file that is too short for its meta pages. */
		if (rc > 0 && rc != EINVAL)
			status = RK_TEMP;
		break;
	}
	if (rc > 0 || rc == MDB_PANIC)
		kv->failed = true;
	return rk_fail_plain(err, status, "%s: %s", what, mdb_strerror(rc));
}

static bool
same_file(const char *path, int fd)
{
	struct stat a, b;

	return stat(path, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

enum rk_status
kv_lock(struct kv *kv, int64_t deadline_ms, struct rk_err *err)
{
	for (;;) {
		enum rk_status status;

		if (kv->lock_fd < 0)
			kv->lock_fd = open(kv->lock_path,
			    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
		if (kv->lock_fd < 0)
			return rk_fail(
			    err, errno == EACCES ? RK_DENIED : RK_TEMP, "open %s", kv->lock_path);
		status = file_lock(kv->lock_fd, deadline_ms, err);
		if (status != RK_OK)
			return status;
		if (same_file(kv->lock_path, kv->lock_fd))
			return RK_OK;
		close(kv->lock_fd);
		kv->lock_fd = -1;
		if (rk_clock_ms() >= deadline_ms)
			return rk_fail_plain(
			    err, RK_INUSE, "%s changes all the time", kv->lock_path);
	}
}

void
kv_unlock(struct kv *kv)
{
	struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (kv->lock_fd >= 0 && fcntl(kv->lock_fd, F_OFD_SETLK, &fl) < 0) {
		/* Closing gives it up in any case. */
		close(kv->lock_fd);
		kv->lock_fd = -1;
	}
}

uint64_t
kv_seal_read(const struct kv *kv)
{
	struct seal seal;

	if (kv->lock_fd < 0 || pread(kv->lock_fd, &seal, sizeof(seal), 0) != sizeof(seal))
		return 0;
	if (seal.magic != SEAL_MAGIC || seal.crc != crc32c(0, &seal.dev, 24))
		return 0;
	if (seal.dev != kv->data_id.dev || seal.ino != kv->data_id.ino)
		return 0;
	return seal.txnid;
}

void
kv_seal_write(const struct kv *kv)
{
	struct seal seal = { .magic = SEAL_MAGIC };
	MDB_envinfo info;

	seal.dev = kv->data_id.dev;
	seal.ino = kv->data_id.ino;
	if (kv->env != NULL && mdb_env_info(kv->env, &info) == 0)
		seal.txnid = info.me_last_txnid;
	seal.crc = crc32c(0, &seal.dev, 24);
	/* Without it a fall-back would go unseen until the next commit: no reason to fail. */
	if (pwrite(kv->lock_fd, &seal, sizeof(seal), 0) < 0)
		return;
}

static bool
meta_sane(const struct meta_page *m, uint64_t pgno, uint64_t size)
{
	uint64_t pages;

	if (m->pgno != pgno || (m->flags & PAGE_META) == 0 || m->magic != META_MAGIC ||
	    m->version != META_VERSION)
		return false;
	if (m->dbs[0].pad < 512 || m->dbs[0].pad > 65536 ||
	    (m->dbs[0].pad & (m->dbs[0].pad - 1)) != 0)
		return false;
	pages = size / m->dbs[0].pad;
	if (m->last_pgno < 1 || m->last_pgno >= pages)
		return false;
	for (int i = 0; i < 2; i++) {
		if (m->dbs[i].depth > DEPTH_MAX)
			return false;
		if (m->dbs[i].root != UINT64_MAX && m->dbs[i].root > m->last_pgno)
			return false;
	}
	return true;
}

/* RK_OK: a new or a sane file. */
static enum rk_status
data_check(const struct kv *kv, bool *fresh_out, struct rk_err *err)
{
	int fd = open(kv->data_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct meta_page metas[2];
	struct stat st;
	enum rk_status status = RK_OK;

	*fresh_out = fd < 0 && errno == ENOENT;
	if (*fresh_out)
		return RK_OK;
	if (fd < 0)
		return rk_fail(
		    err, errno == ELOOP ? RK_CORRUPT : RK_TEMP, "open %s", kv->data_path);
	if (fstat(fd, &st) < 0)
		status = rk_fail(err, RK_TEMP, "fstat %s", kv->data_path);
	else if (!S_ISREG(st.st_mode))
		status = rk_fail_plain(err, RK_CORRUPT, "%s is not a file", kv->data_path);
	else if (st.st_size == 0)
		*fresh_out = true;
	else if (pread(fd, &metas[0], sizeof(metas[0]), 0) != sizeof(metas[0]) ||
		 !meta_sane(&metas[0], 0, (uint64_t)st.st_size) ||
		 pread(fd, &metas[1], sizeof(metas[1]), metas[0].dbs[0].pad) != sizeof(metas[1]) ||
		 !meta_sane(&metas[1], 1, (uint64_t)st.st_size) ||
		 metas[1].dbs[0].pad != metas[0].dbs[0].pad)
		status = rk_fail_plain(err, RK_CORRUPT, "%s: bad meta page", kv->data_path);
	close(fd);
	return status;
}

static bool
file_id(const char *path, struct kv_file_id *out)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	return true;
}

bool
kv_env_current(const struct kv *kv)
{
	struct kv_file_id data, readers;

	return kv->env != NULL && !kv->failed && file_id(kv->data_path, &data) &&
	       file_id(kv->readers_path, &readers) && data.dev == kv->data_id.dev &&
	       data.ino == kv->data_id.ino && readers.dev == kv->readers_id.dev &&
	       readers.ino == kv->readers_id.ino;
}

void
kv_env_close(struct kv *kv)
{
	if (kv->env == NULL)
		return;
	if (kv->live > 0)
		rk_bug("kv: environment closed under a transaction");
	mdb_env_close(kv->env);
	kv->env = NULL;
}

/* The handle of the unnamed database: a number that needs a transaction to be asked for. */
static int
dbi_open(struct kv *kv)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);

	if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(kv->env, 0)) == 0)
		rc = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);
	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &kv->dbi);
	if (rc != 0)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	return rc;
}

static int
env_start(struct kv *kv)
{
	MDB_stat stat;
	int dead;
	int rc;

	if ((rc = mdb_env_create(&kv->env)) != 0)
		return rc;
	if ((rc = mdb_env_set_mapsize(kv->env, kv->map_initial)) != 0 ||
	    (rc = mdb_env_set_maxreaders(kv->env, READERS_MAX)) != 0 ||
	    (rc = mdb_env_open(kv->env, kv->dir, MDB_NOTLS | MDB_NORDAHEAD, 0600)) != 0 ||
	    (rc = mdb_reader_check(kv->env, &dead)) != 0 || (rc = dbi_open(kv)) != 0 ||
	    (rc = mdb_env_stat(kv->env, &stat)) != 0)
		return rc;
	kv->page_size = stat.ms_psize;
	return 0;
}

enum rk_status
kv_env_open(struct kv *kv, struct rk_err *err)
{
	enum rk_status status;
	bool fresh;
	int rc;

	kv_env_close(kv);
	kv->failed = false;
	if (mkdir(kv->dir, 0700) < 0 && errno != EEXIST)
		return rk_fail(err, errno == ENOSPC || errno == EDQUOT ? RK_QUOTA : RK_TEMP,
		    "mkdir %s", kv->dir);
	status = data_check(kv, &fresh, err);
	if (status != RK_OK)
		return status;
	rc = env_start(kv);
	if (rc == 0 &&
	    (!file_id(kv->data_path, &kv->data_id) || !file_id(kv->readers_path, &kv->readers_id)))
		rc = ENOENT;
	if (rc != 0) {
		status = kv_fail(kv, rc, kv->dir, err);
		kv_env_close(kv);
		return status == RK_AGAIN ? RK_TEMP : status;
	}
	/* A new file may have got the inode number of the one before it. */
	if (fresh)
		kv_seal_write(kv);
	return RK_OK;
}
