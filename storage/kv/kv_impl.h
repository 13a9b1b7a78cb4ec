/* The LMDB environment under a struct kv, for this folder only. */
#ifndef KV_KV_IMPL_H
#define KV_KV_IMPL_H

#include "storage/kv/kv.h"

#include <lmdb.h>
#include <sys/stat.h>

struct kv_file_id {
	dev_t dev;
	ino_t ino;
};

struct kv {
	struct kv *next; /* all that this process has open */
	pid_t pid;       /* whose it is: a child of a fork has none of them */
	char *dir;
	char *data_path;
	char *readers_path; /* LMDB's lock.mdb */
	char *lock_path;
	size_t map_initial;
	size_t map_max;
	uint32_t lock_timeout_ms;
	int lock_fd;
	MDB_env *env; /* NULL: to be opened before the next transaction */
	MDB_dbi dbi;
	size_t page_size;
	struct kv_file_id data_id;
	struct kv_file_id readers_id;
	unsigned live;   /* transactions under way */
	unsigned writes; /* since the reader table was last cleaned */
	bool grow;       /* the last write did not fit the map */
	bool failed;     /* a write went wrong: open anew before the next transaction */
};

/* Our lock file: opened, locked until the deadline, and still the one at its path. */
RK_MUST_CHECK enum rk_status kv_lock(struct kv *kv, int64_t deadline_ms, struct rk_err *err);
void kv_unlock(struct kv *kv);

/* Opens the environment under the lock that the caller holds; the files are checked first. */
RK_MUST_CHECK enum rk_status kv_env_open(struct kv *kv, struct rk_err *err);
void kv_env_close(struct kv *kv);
/* Whether what is open is still what the paths name. */
bool kv_env_current(const struct kv *kv);

/*
 * The number of the last commit, kept in the lock file beside the identity of the environment: an
 * environment that shows an older state lost a commit (a damaged meta page makes LMDB fall back to
 * the other one, which looks whole). 0: not known.
 */
uint64_t kv_seal_read(const struct kv *kv);
void kv_seal_write(const struct kv *kv);

/* An LMDB result in our words. */
RK_MUST_CHECK enum rk_status kv_fail(struct kv *kv, int rc, const char *what, struct rk_err *err);

#endif
