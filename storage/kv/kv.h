/*
 * Ordered keys and values under the index: a thin interface that LMDB (and Berkeley DB) implement;
 * nobody above knows which. The promise is: whole, or detected (RK_CORRUPT) and to be rebuilt. Each
 * value carries a CRC32C. Keys: 1 to 255 bytes, ordered by memcmp. Values: up to 1 MiB.
 *
 * One environment per user in its own directory, one write transaction at a time, under a lock file
 * of ours outside of it with a deadline (RK_INUSE): a stopped writer never blocks others for ever.
 * Before each transaction the open file is compared with the path and reopened if it was replaced.
 *
 * A damaged value is RK_CORRUPT. A damaged key may make its value impossible to find, which looks
 * like RK_NOTFOUND: who stores values that belong together keeps in one of them how to tell that
 * another is missing or stale (the index does). A file so damaged that reading it ends the process
 * is the caller's to remember (index_set_busy_flag).
 *
 * Room: RK_AGAIN from kv_put, kv_del, kv_del_prefix or kv_commit says that the transaction needs
 * more address space than is mapped: kv_abort it (kv_commit has done so) and do it again from its
 * start; the next kv_write maps twice as much. At map_max it is RK_LIMIT instead.
 *
 * A process opens an environment once (RK_INUSE otherwise) and never carries one over a fork.
 *
 * Sandbox (LMDB): everything but execution beneath dir's parent (make, remove, truncate); openat,
 * close, newfstatat, fstatfs, uname, mkdir, unlink, ftruncate, fcntl (POSIX and OFD locks), poll,
 * lseek, pread64, pwrite64, pwritev, writev, fdatasync, mmap, munmap, mprotect, madvise, getpid,
 * futex. Its robust mutexes need set_robust_list only at a fork, which comes before the lock-down.
 */
#ifndef KV_KV_H
#define KV_KV_H

#include <rookery/host.h>

struct kv;
struct kv_txn;

struct kv_options {
	const char *dir;       /* directory of the environment; made if it is missing */
	const char *lock_path; /* permanent lock file, not inside dir */
	size_t map_initial;    /* bytes of address space at first; grows by doubling */
	size_t map_max;
	uint32_t lock_timeout_ms; /* for the moments when opening needs the lock */
};

/* RK_CORRUPT: the files make no sense; *out is set all the same: kv_destroy makes it usable. */
RK_MUST_CHECK enum rk_status kv_open(
    const struct kv_options *options, struct kv **out, struct rk_err *err);
void kv_close(struct kv *kv);

/* Removes the environment's files under the lock; `kv` stays usable and is empty. Safe while others
 * have it open: they notice. */
RK_MUST_CHECK enum rk_status kv_destroy(struct kv *kv, int64_t deadline_ms, struct rk_err *err);

/* Transactions. A read transaction sees one state and must not live across a wait for a client. */
RK_MUST_CHECK enum rk_status kv_read(struct kv *kv, struct kv_txn **out, struct rk_err *err);
RK_MUST_CHECK enum rk_status kv_write(
    struct kv *kv, int64_t deadline_ms, struct kv_txn **out, struct rk_err *err);
/* Frees the transaction in every case. `durable`: on disk before it returns; otherwise a power cut
 * may undo or damage everything since the last durable commit, a killed process nothing. */
RK_MUST_CHECK enum rk_status kv_commit(struct kv_txn *txn, bool durable, struct rk_err *err);
void kv_abort(struct kv_txn *txn);

/* Value borrowed until the transaction ends (or, in a write transaction, the next put or del). */
RK_MUST_CHECK enum rk_status kv_get(
    struct kv_txn *txn, struct rk_blob key, struct rk_blob *value_out, struct rk_err *err);
RK_MUST_CHECK enum rk_status kv_put(
    struct kv_txn *txn, struct rk_blob key, struct rk_blob value, struct rk_err *err);
/* RK_OK also when it was not there. */
RK_MUST_CHECK enum rk_status kv_del(struct kv_txn *txn, struct rk_blob key, struct rk_err *err);

/* Smallest key >= `from` that starts with `prefix`; RK_NOTFOUND at the end. Borrowed as kv_get. */
RK_MUST_CHECK enum rk_status kv_seek(struct kv_txn *txn, struct rk_blob from, struct rk_blob prefix,
    struct rk_blob *key_out, struct rk_blob *value_out, struct rk_err *err);
/* Deletes all keys with the prefix. */
RK_MUST_CHECK enum rk_status kv_del_prefix(
    struct kv_txn *txn, struct rk_blob prefix, struct rk_err *err);

#endif
