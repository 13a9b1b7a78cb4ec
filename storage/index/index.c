#include "storage/index/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/bug.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "storage/index/index_impl.h"

#define MAP_INITIAL ((size_t)64 << 20)
#define MAP_MAX ((size_t)64 << 30)
#define SUSPECT "suspect"

static bool *busy_flag;
static unsigned busy_depth;

void
index_set_busy_flag(bool *flag)
{
	busy_flag = flag;
}

static void
busy_enter(void)
{
	busy_depth++;
	if (busy_flag != NULL)
		*(volatile bool *)busy_flag = true;
}

static void
busy_leave(void)
{
	if (--busy_depth == 0 && busy_flag != NULL)
		*(volatile bool *)busy_flag = false;
}

static int64_t
deadline(const struct index *index)
{
	return rk_clock_ms() + index->lock_timeout_ms;
}

enum rk_status
index_read_begin(struct index *index, struct index_txn *out, struct rk_err *err)
{
	enum rk_status status;

	out->index = index;
	out->kv = NULL;
	busy_enter();
	status = kv_read(index->kv, &out->kv, err);
	if (status != RK_OK)
		busy_leave();
	return status;
}

enum rk_status
index_write_begin(struct index *index, struct index_txn *out, struct rk_err *err)
{
	enum rk_status status;

	out->index = index;
	out->kv = NULL;
	busy_enter();
	status = kv_write(index->kv, deadline(index), &out->kv, err);
	if (status != RK_OK)
		busy_leave();
	return status;
}

enum rk_status
index_txn_commit(struct index_txn *txn, bool durable, struct rk_err *err)
{
	enum rk_status status = kv_commit(txn->kv, durable, err);

	txn->kv = NULL;
	busy_leave();
	return status;
}

void
index_txn_end(struct index_txn *txn)
{
	if (txn->kv == NULL)
		return;
	kv_abort(txn->kv);
	txn->kv = NULL;
	busy_leave();
}

static enum rk_status
format_write(struct index *index, struct rk_err *err)
{
	uint32_t format = INDEX_FORMAT;
	struct index_txn txn;
	enum rk_status status = index_write_begin(index, &txn, err);

	if (status != RK_OK)
		return status;
	status = kv_put(
	    txn.kv, (struct rk_blob){ "F", 1 }, (struct rk_blob){ &format, sizeof(format) }, err);
	if (status == RK_OK)
		status = index_txn_commit(&txn, false, err);
	index_txn_end(&txn);
	return status;
}

/* RK_CORRUPT: another format, or things in an index without one. */
static enum rk_status
format_check(struct index *index, struct rk_err *err)
{
	struct rk_blob key, value;
	struct index_txn txn;
	uint32_t format = 0;
	enum rk_status status = index_read_begin(index, &txn, err);

	if (status != RK_OK)
		return status;
	status = kv_get(txn.kv, (struct rk_blob){ "F", 1 }, &value, err);
	if (status == RK_OK && value.len == sizeof(format))
		memcpy(&format, value.data, sizeof(format));
	if (status == RK_OK && format != INDEX_FORMAT)
		status = rk_fail_plain(err, RK_CORRUPT, "index: format %u", format);
	if (status == RK_NOTFOUND) {
		status = kv_seek(txn.kv, (struct rk_blob){ "\0", 1 }, (struct rk_blob){ NULL, 0 },
		    &key, &value, err);
		if (status == RK_OK)
			status = rk_fail_plain(err, RK_CORRUPT, "index: no format");
	}
	index_txn_end(&txn);
	return status == RK_NOTFOUND ? format_write(index, err) : status;
}

static enum rk_status
destroy(struct index *index, struct rk_err *err)
{
	enum rk_status status;

	busy_enter();
	status = kv_destroy(index->kv, deadline(index), err);
	busy_leave();
	return status == RK_OK ? format_write(index, err) : status;
}

enum rk_status
index_reset(struct index *index, const struct rk_err *why, struct rk_err *err)
{
	struct rk_err reason = { .status = RK_CORRUPT, .text = "it is damaged" };

	if (why != NULL)
		reason = *why; /* may be the same as err */

	log_ev(RK_LOG_WARN, "index.reset", LOG_S("path", index->dir), LOG_ERR(&reason));
	return destroy(index, err);
}

void
index_raise_modseq(struct index *index, uint64_t floor)
{
	if (index->modseq_floor < floor)
		index->modseq_floor = floor;
}

/* A process died in the index: what it left may be anything. */
static enum rk_status
suspect_clear(struct index *index, struct rk_err *err)
{
	struct rk_err why = { .status = RK_CORRUPT, .text = "a process died in the index" };
	enum rk_status status;
	struct stat st;
	int fd = open(index->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return rk_fail(err, RK_TEMP, "open %s", index->dir);
	if (fstatat(fd, SUSPECT, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		close(fd);
		return RK_OK;
	}
	status = index_reset(index, &why, err);
	if (status == RK_OK && unlinkat(fd, SUSPECT, 0) < 0 && errno != ENOENT)
		status = rk_fail(err, RK_TEMP, "unlink %s/" SUSPECT, index->dir);
	close(fd);
	return status;
}

enum rk_status
index_mark_suspect(int dirfd, struct rk_err *err)
{
	int fd;
	enum rk_status status =
	    file_open(dirfd, SUSPECT, O_WRONLY | O_CREAT | O_NONBLOCK, 0600, &fd, err);

	if (status != RK_OK)
		return status;
	close(fd);
	return RK_OK;
}

static enum rk_status
kv_start(struct index *index, struct rk_err *err)
{
	char *db = NULL, *lock = NULL;
	struct kv_options options = { 0 };
	enum rk_status status;

	if (asprintf(&db, "%s/db", index->dir) < 0 || asprintf(&lock, "%s/lock", index->dir) < 0)
		rk_out_of_memory(strlen(index->dir));
	options.dir = db;
	options.lock_path = lock;
	options.map_initial = MAP_INITIAL;
	options.map_max = MAP_MAX;
	options.lock_timeout_ms = index->lock_timeout_ms;
	busy_enter();
	status = kv_open(&options, &index->kv, err);
	busy_leave();
	free(db);
	free(lock);
	return status;
}

enum rk_status
index_open(const struct index_options *options, struct index **out, struct rk_err *err)
{
	struct index *index = calloc(1, sizeof(*index));
	enum rk_status status;

	if (index == NULL || (index->dir = strdup(options->dir)) == NULL)
		rk_out_of_memory(sizeof(*index));
	index->lock_timeout_ms = options->lock_timeout_ms;
	status = kv_start(index, err);
	if (status == RK_CORRUPT)
		status = index_reset(index, err, err);
	if (status == RK_OK)
		status = suspect_clear(index, err);
	if (status == RK_OK)
		status = format_check(index, err);
	if (status == RK_CORRUPT)
		status = index_reset(index, err, err);
	if (status != RK_OK) {
		index_close(index);
		return status;
	}
	*out = index;
	return RK_OK;
}

void
index_close(struct index *index)
{
	if (index == NULL)
		return;
	kv_close(index->kv);
	free(index->dir);
	free(index);
}

/* Keeps the mailbox's MODSEQ as a floor for whatever comes under the same GUID. */
static enum rk_status
forget(struct kv_txn *txn, const unsigned char *guid, struct rk_arena *mem, struct rk_err *err)
{
	static const char kinds[] = { 'b', 'l', 'd', 'x', 'c', 'm' };
	struct rk_blob at = { "H", 1 }, value;
	struct index_key key;
	struct box_meta meta;
	uint64_t high = 0;
	enum rk_status status = meta_get(txn, guid, mem, &meta, err);

	if (status != RK_OK)
		return status == RK_NOTFOUND ? RK_OK : status;
	status = kv_get(txn, at, &value, err);
	if (status == RK_OK && value.len == sizeof(high))
		memcpy(&high, value.data, sizeof(high));
	else if (status != RK_NOTFOUND)
		return status == RK_OK
		           ? rk_fail_plain(err, RK_CORRUPT, "index: bad high-water mark")
		           : status;
	if (meta.m.highest > high) {
		high = meta.m.highest;
		status = kv_put(txn, at, (struct rk_blob){ &high, sizeof(high) }, err);
		if (status != RK_OK)
			return status;
	}
	for (size_t i = 0; i < sizeof(kinds); i++) {
		status = kv_del_prefix(txn, index_key_box(&key, kinds[i], guid), err);
		if (status != RK_OK)
			return status;
	}
	return kv_del(txn, index_key_name(&key, meta.name.data, meta.name.len), err);
}

enum rk_status
index_forget(struct index *index, const unsigned char guid[RK_GUID_LEN], struct rk_err *err)
{
	struct rk_arena *mem = arena_new();
	enum rk_status status;

	do {
		struct index_txn txn;

		status = index_write_begin(index, &txn, err);
		if (status != RK_OK)
			break;
		status = forget(txn.kv, guid, mem, err);
		if (status == RK_OK)
			status = index_txn_commit(&txn, true, err);
		index_txn_end(&txn);
	} while (status == RK_AGAIN);
	arena_free(mem);
	return status;
}
