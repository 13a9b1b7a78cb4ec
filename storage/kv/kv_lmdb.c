/*
 * kv.h over LMDB: one unnamed database; a stored value is the CRC32C of key and value, then the
 * value. See kv_env.c for the files.
 */
#include "storage/kv/kv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/bug.h"
#include "lib/base/crc32c.h"
#include "storage/kv/kv_impl.h"

#define KEY_MAX 255
#define VALUE_MAX ((size_t)1 << 20)
#define CRC_LEN 4
#define CLEAN_EVERY 64 /* writes between two looks for reader slots of dead processes */

struct kv_txn {
	struct kv *kv;
	MDB_txn *txn;
	MDB_cursor *cursor;
	bool write;
};

/* LMDB keeps POSIX locks, which a second opening in the same process would silently drop. */
static struct kv *all_open;

static char *
path_join(const char *dir, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", dir, name[0] != '\0' ? "/" : "", name) < 0)
		rk_out_of_memory(strlen(dir) + strlen(name));
	return path;
}

static void
kv_free(struct kv *kv)
{
	free(kv->dir);
	free(kv->data_path);
	free(kv->readers_path);
	free(kv->lock_path);
	free(kv);
}

static enum rk_status
env_open_locked(struct kv *kv, int64_t deadline_ms, struct rk_err *err)
{
	enum rk_status status = kv_lock(kv, deadline_ms, err);

	if (status != RK_OK)
		return status;
	status = kv_env_open(kv, err);
	kv_unlock(kv);
	return status;
}

enum rk_status
kv_open(const struct kv_options *options, struct kv **out, struct rk_err *err)
{
	struct kv *kv;
	enum rk_status status;

	for (kv = all_open; kv != NULL; kv = kv->next)
		if (kv->pid == getpid() && strcmp(kv->dir, options->dir) == 0)
			return rk_fail_plain(err, RK_INUSE, "%s is open already", options->dir);
	kv = calloc(1, sizeof(*kv));
	if (kv == NULL)
		rk_out_of_memory(sizeof(*kv));
	kv->pid = getpid();
	kv->dir = path_join(options->dir, "");
	kv->data_path = path_join(options->dir, "data.mdb");
	kv->readers_path = path_join(options->dir, "lock.mdb");
	kv->lock_path = path_join(options->lock_path, "");
	kv->map_initial = options->map_initial;
	kv->map_max = options->map_max;
	kv->lock_timeout_ms = options->lock_timeout_ms;
	kv->lock_fd = -1;
	kv->next = all_open;
	all_open = kv;
	*out = kv;
	status = env_open_locked(kv, rk_clock_ms() + kv->lock_timeout_ms, err);
	if (status == RK_OK || status == RK_CORRUPT)
		return status;
	kv_close(kv);
	*out = NULL;
	return status;
}

void
kv_close(struct kv *kv)
{
	struct kv **link = &all_open;

	if (kv == NULL)
		return;
	while (*link != NULL && *link != kv)
		link = &(*link)->next;
	if (*link == kv)
		*link = kv->next;
	kv_env_close(kv);
	if (kv->lock_fd >= 0)
		close(kv->lock_fd);
	kv_free(kv);
}

enum rk_status
kv_destroy(struct kv *kv, int64_t deadline_ms, struct rk_err *err)
{
	enum rk_status status = kv_lock(kv, deadline_ms, err);

	if (status != RK_OK)
		return status;
	kv_env_close(kv);
	/* Both, always: a new data.mdb under an old reader table would be read by its old rules. */
	if (unlink(kv->data_path) < 0 && errno != ENOENT)
		status = rk_fail(err, RK_TEMP, "unlink %s", kv->data_path);
	if (unlink(kv->readers_path) < 0 && errno != ENOENT && status == RK_OK)
		status = rk_fail(err, RK_TEMP, "unlink %s", kv->readers_path);
	if (status == RK_OK)
		status = kv_env_open(kv, err);
	kv_unlock(kv);
	return status;
}

/* The file holds all pages that its newest meta page names: nothing in the map ends in SIGBUS. */
static enum rk_status
length_check(struct kv *kv, struct rk_err *err)
{
	struct stat st;
	MDB_envinfo info;
	int fd;

	if (mdb_env_get_fd(kv->env, &fd) != 0 || fstat(fd, &st) < 0)
		return rk_fail(err, RK_TEMP, "fstat %s", kv->data_path);
	if ((uint64_t)st.st_size < 2 * kv->page_size)
		return rk_fail_plain(err, RK_CORRUPT, "%s was cut", kv->data_path);
	if (mdb_env_info(kv->env, &info) != 0 ||
	    info.me_last_pgno >= (uint64_t)st.st_size / kv->page_size)
		return rk_fail_plain(err, RK_CORRUPT, "%s lacks pages", kv->data_path);
	return RK_OK;
}

static int
txn_begin(struct kv *kv, bool write, MDB_txn **out)
{
	int rc = 0;

	for (int attempt = 0; attempt < 4; attempt++) {
		int dead;

		rc = mdb_txn_begin(kv->env, NULL, write ? 0 : MDB_RDONLY, out);
		if (rc == MDB_READERS_FULL && mdb_reader_check(kv->env, &dead) == 0 && dead > 0)
			continue;
		/* Another process made the map larger. */
		if (rc == MDB_MAP_RESIZED && kv->live == 0 && mdb_env_set_mapsize(kv->env, 0) == 0)
			continue;
		break;
	}
	return rc;
}

static enum rk_status
txn_start(struct kv *kv, bool write, struct kv_txn **out, struct rk_err *err)
{
	struct kv_txn *txn;
	uint64_t seal;
	MDB_txn *raw;
	enum rk_status status = length_check(kv, err);
	int rc;

	if (status != RK_OK)
		return status;
	seal = kv_seal_read(kv);
	rc = txn_begin(kv, write, &raw);
	if (rc != 0)
		return kv_fail(kv, rc, "begin", err);
	if (mdb_txn_id(raw) < seal + (write ? 1 : 0)) {
		mdb_txn_abort(raw);
		return rk_fail_plain(
		    err, RK_CORRUPT, "%s: commits after %zu are lost", kv->dir, mdb_txn_id(raw));
	}
	txn = calloc(1, sizeof(*txn));
	if (txn == NULL)
		rk_out_of_memory(sizeof(*txn));
	txn->kv = kv;
	txn->txn = raw;
	txn->write = write;
	kv->live++;
	*out = txn;
	return RK_OK;
}

enum rk_status
kv_read(struct kv *kv, struct kv_txn **out, struct rk_err *err)
{
	enum rk_status status;

	if (kv->live == 0 && !kv_env_current(kv)) {
		status = env_open_locked(kv, rk_clock_ms() + kv->lock_timeout_ms, err);
		if (status != RK_OK)
			return status;
	}
	return txn_start(kv, false, out, err);
}

/* Room for a transaction of the size of everything that is there, and more if the last one failed
 * for want of it: address space costs nothing. */
static enum rk_status
map_fit(struct kv *kv, struct rk_err *err)
{
	MDB_envinfo info;
	size_t used, want;
	int rc = mdb_env_info(kv->env, &info);

	if (rc != 0)
		return kv_fail(kv, rc, "info", err);
	used = (info.me_last_pgno + 1) * kv->page_size;
	want = info.me_mapsize;
	if (kv->grow && want >= kv->map_max) {
		kv->grow = false; /* a smaller one may still fit */
		return rk_fail_plain(err, RK_LIMIT, "%s is full", kv->dir);
	}
	if (kv->grow)
		want *= 2;
	kv->grow = false;
	while (want < kv->map_max && want / 2 < used)
		want *= 2;
	if (want > kv->map_max && info.me_mapsize < kv->map_max)
		want = kv->map_max;
	if (want <= info.me_mapsize || kv->live > 0)
		return RK_OK;
	rc = mdb_env_set_mapsize(kv->env, want);
	return rc == 0 ? RK_OK : kv_fail(kv, rc, "map", err);
}

static enum rk_status
write_start(struct kv *kv, struct kv_txn **out, struct rk_err *err)
{
	enum rk_status status;
	int dead;

	if (kv->live == 0 && !kv_env_current(kv)) {
		status = kv_env_open(kv, err);
		if (status != RK_OK)
			return status;
	}
	status = length_check(kv, err);
	if (status == RK_OK)
		status = map_fit(kv, err);
	if (status != RK_OK)
		return status;
	/* A slot of a process that was killed keeps old pages from being used again. */
	if (kv->writes++ % CLEAN_EVERY == 0)
		(void)mdb_reader_check(kv->env, &dead);
	return txn_start(kv, true, out, err);
}

enum rk_status
kv_write(struct kv *kv, int64_t deadline_ms, struct kv_txn **out, struct rk_err *err)
{
	enum rk_status status = kv_lock(kv, deadline_ms, err);

	if (status != RK_OK)
		return status;
	status = write_start(kv, out, err);
	if (status != RK_OK)
		kv_unlock(kv);
	return status;
}

static void
txn_free(struct kv_txn *txn)
{
	txn->kv->live--;
	if (txn->write)
		kv_unlock(txn->kv);
	free(txn);
}

/* Pages that a transaction took and gave back are counted but never written: fill the file up, so
 * that its length can be held against its meta page. */
static void
length_fill(struct kv *kv)
{
	MDB_envinfo info;
	struct stat st;
	uint64_t need;
	int fd;

	if (mdb_env_get_fd(kv->env, &fd) != 0 || mdb_env_info(kv->env, &info) != 0 ||
	    fstat(fd, &st) < 0)
		return;
	need = (info.me_last_pgno + 1) * kv->page_size;
	if ((uint64_t)st.st_size < need && ftruncate(fd, (off_t)need) < 0)
		kv->failed = true;
}

enum rk_status
kv_commit(struct kv_txn *txn, bool durable, struct rk_err *err)
{
	struct kv *kv = txn->kv;
	enum rk_status status = RK_OK;
	int rc;

	if (txn->cursor != NULL)
		mdb_cursor_close(txn->cursor);
	/* Read by the commit; the lock keeps other writers out, so it is ours alone. */
	rc = txn->write ? mdb_env_set_flags(kv->env, MDB_NOSYNC, !durable) : 0;
	if (rc != 0)
		mdb_txn_abort(txn->txn);
	else
		rc = mdb_txn_commit(txn->txn);
	if (rc != 0) {
		/* After a failed write LMDB's view of its file is not to be relied on. */
		status = kv_fail(kv, rc, "commit", err);
		kv->failed = true;
	} else if (txn->write) {
		length_fill(kv);
		kv_seal_write(kv);
	}
	txn_free(txn);
	return status;
}

void
kv_abort(struct kv_txn *txn)
{
	if (txn == NULL)
		return;
	if (txn->cursor != NULL)
		mdb_cursor_close(txn->cursor);
	mdb_txn_abort(txn->txn);
	txn_free(txn);
}

static uint32_t
value_crc(struct rk_blob key, const void *value, size_t n)
{
	return crc32c(crc32c(0, key.data, key.len), value, n);
}

static enum rk_status
value_open(struct rk_blob key, const MDB_val *stored, struct rk_blob *value_out, struct rk_err *err)
{
	uint32_t crc;

	if (stored->mv_size < CRC_LEN || stored->mv_size > VALUE_MAX + CRC_LEN)
		return rk_fail_plain(err, RK_CORRUPT, "value of %zu bytes", stored->mv_size);
	memcpy(&crc, stored->mv_data, CRC_LEN);
	value_out->data = (const char *)stored->mv_data + CRC_LEN;
	value_out->len = stored->mv_size - CRC_LEN;
	if (crc != value_crc(key, value_out->data, value_out->len))
		return rk_fail_plain(
		    err, RK_CORRUPT, "value of %zu bytes fails its check", value_out->len);
	return RK_OK;
}

static MDB_val
val_of(struct rk_blob blob)
{
	MDB_val v = { .mv_size = blob.len, .mv_data = (void *)(uintptr_t)blob.data };

	if (blob.len == 0 || blob.len > KEY_MAX)
		rk_bug("kv: key of %zu bytes", blob.len);
	return v;
}

enum rk_status
kv_get(struct kv_txn *txn, struct rk_blob key, struct rk_blob *value_out, struct rk_err *err)
{
	MDB_val k = val_of(key);
	MDB_val v;
	int rc = mdb_get(txn->txn, txn->kv->dbi, &k, &v);

	if (rc == MDB_NOTFOUND)
		return rk_fail_plain(err, RK_NOTFOUND, "no such key");
	if (rc != 0)
		return kv_fail(txn->kv, rc, "get", err);
	return value_open(key, &v, value_out, err);
}

enum rk_status
kv_put(struct kv_txn *txn, struct rk_blob key, struct rk_blob value, struct rk_err *err)
{
	MDB_val k = val_of(key);
	MDB_val v = { .mv_size = value.len + CRC_LEN };
	uint32_t crc;
	int rc;

	if (value.len > VALUE_MAX)
		return rk_fail_plain(err, RK_LIMIT, "value of %zu bytes", value.len);
	crc = value_crc(key, value.data, value.len);
	rc = mdb_put(txn->txn, txn->kv->dbi, &k, &v, MDB_RESERVE);
	if (rc != 0)
		return kv_fail(txn->kv, rc, "put", err);
	memcpy(v.mv_data, &crc, CRC_LEN);
	if (value.len > 0)
		memcpy((char *)v.mv_data + CRC_LEN, value.data, value.len);
	return RK_OK;
}

enum rk_status
kv_del(struct kv_txn *txn, struct rk_blob key, struct rk_err *err)
{
	MDB_val k = val_of(key);
	int rc = mdb_del(txn->txn, txn->kv->dbi, &k, NULL);

	if (rc == 0 || rc == MDB_NOTFOUND)
		return RK_OK;
	return kv_fail(txn->kv, rc, "del", err);
}

static bool
has_prefix(const MDB_val *key, struct rk_blob prefix)
{
	return key->mv_size >= prefix.len &&
	       (prefix.len == 0 || memcmp(key->mv_data, prefix.data, prefix.len) == 0);
}

/* Whether `key` stands before `from`, which an honest tree never answers. */
static bool
key_before(const MDB_val *key, struct rk_blob from)
{
	size_t n = key->mv_size < from.len ? key->mv_size : from.len;
	int order = memcmp(key->mv_data, from.data, n);

	return order < 0 || (order == 0 && key->mv_size < from.len);
}

static enum rk_status
seek_raw(struct kv_txn *txn, struct rk_blob from, struct rk_blob prefix, MDB_val *k, MDB_val *v,
    struct rk_err *err)
{
	int rc = 0;

	if (txn->cursor == NULL)
		rc = mdb_cursor_open(txn->txn, txn->kv->dbi, &txn->cursor);
	*k = val_of(from);
	if (rc == 0)
		rc = mdb_cursor_get(txn->cursor, k, v, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		return rk_fail_plain(err, RK_NOTFOUND, "no further key");
	if (rc != 0)
		return kv_fail(txn->kv, rc, "seek", err);
	if (k->mv_size == 0 || k->mv_size > KEY_MAX || key_before(k, from))
		return rk_fail_plain(err, RK_CORRUPT, "keys out of order");
	if (!has_prefix(k, prefix))
		return rk_fail_plain(err, RK_NOTFOUND, "no further key");
	return RK_OK;
}

enum rk_status
kv_seek(struct kv_txn *txn, struct rk_blob from, struct rk_blob prefix, struct rk_blob *key_out,
    struct rk_blob *value_out, struct rk_err *err)
{
	MDB_val k, v;
	enum rk_status status = seek_raw(txn, from, prefix, &k, &v, err);

	if (status != RK_OK)
		return status;
	key_out->data = k.mv_data;
	key_out->len = k.mv_size;
	return value_open(*key_out, &v, value_out, err);
}

enum rk_status
kv_del_prefix(struct kv_txn *txn, struct rk_blob prefix, struct rk_err *err)
{
	for (;;) {
		char copy[KEY_MAX];
		MDB_val k, v;
		enum rk_status status = seek_raw(txn, prefix, prefix, &k, &v, err);
		int rc;

		if (status == RK_NOTFOUND)
			return RK_OK;
		if (status != RK_OK)
			return status;
		memcpy(copy, k.mv_data, k.mv_size);
		k.mv_data = copy;
		rc = mdb_del(txn->txn, txn->kv->dbi, &k, NULL);
		if (rc == MDB_NOTFOUND)
			return rk_fail_plain(err, RK_CORRUPT, "key seen but not there");
		if (rc != 0)
			return kv_fail(txn->kv, rc, "del", err);
	}
}
