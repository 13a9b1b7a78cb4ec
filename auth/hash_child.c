#include "auth/hash_impl.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/ipc/service.h"

/* A job that takes longer ends its child: whatever made it so slow, the processor comes free. */
#define JOB_SECONDS 20

/* One message of either direction; this process does one thing at a time. */
static struct msg_in in;
static struct msg_out out;

static enum rk_status
verify(struct msg_in *m, struct msg_out *answer, struct rk_err *err)
{
	uint32_t scheme = msg_get_u32(m);
	struct stored stored = { .data = msg_get_str(m, STORED_MAX) };
	struct str password = msg_get_str(m, PASSWORD_MAX);
	enum rk_status status = msg_end(m, err);

	if (status == RK_OK && scheme >= SCHEMES)
		status = rk_fail_plain(err, RK_CORRUPT, "no scheme %u", (unsigned)scheme);
	if (status != RK_OK)
		return status;
	stored.scheme = (enum scheme)scheme;
	msg_put_u32(answer, stored_verify(&stored, password));
	msg_put_text(answer, "");
	msg_put_text(answer, "");
	return RK_OK;
}

static enum rk_status
derive(struct msg_in *m, struct msg_out *answer, struct rk_err *err)
{
	uint32_t hash = msg_get_u32(m);
	struct scram_keys keys = { .iterations = msg_get_u32(m) };
	struct str salt = msg_get_str(m, SCRAM_SALT_MAX);
	struct str password = msg_get_str(m, PASSWORD_MAX);
	enum rk_status status = msg_end(m, err);
	size_t n;

	if (status == RK_OK &&
	    (hash >= SCRAM_HASHES || keys.iterations == 0 || keys.iterations > SCRAM_ITER_MAX))
		status = rk_fail_plain(err, RK_CORRUPT, "no SCRAM parameters");
	if (status != RK_OK)
		return status;
	memcpy(keys.salt, salt.p, salt.n);
	keys.salt_len = salt.n;
	n = scram_hash_len((enum scram_hash)hash);
	if (scram_derive((enum scram_hash)hash, password, &keys)) {
		msg_put_u32(answer, VERDICT_YES);
		msg_put_bytes(answer, keys.stored_key, n);
		msg_put_bytes(answer, keys.server_key, n);
	} else {
		msg_put_u32(answer, VERDICT_ERROR);
		msg_put_text(answer, "");
		msg_put_text(answer, "");
	}
	explicit_bzero(&keys, sizeof(keys));
	return RK_OK;
}

enum rk_status
hash_work(struct msg_in *m, struct msg_out *answer, struct rk_err *err)
{
	msg_begin(answer, HASH_ANSWER, m->id);
	switch (m->type) {
	case HASH_VERIFY:
		return verify(m, answer, err);
	case HASH_DERIVE:
		return derive(m, answer, err);
	default:
		return rk_fail_plain(err, RK_CORRUPT, "no job of type %u", (unsigned)m->type);
	}
}

/* Jobs one after the other until the pool closes the socket. */
static _Noreturn void
child_run(int fd, const struct lockdown *how)
{
	struct rk_err err;

	if (service_lock_down(&hash_child_profile, how, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "auth.hash_lockdown", LOG_ERR(&err));
		_exit(EXIT_FAILURE);
	}
	while (ipc_recv(fd, &in, &err) == RK_OK) {
		alarm(JOB_SECONDS);
		if (hash_work(&in, &out, &err) != RK_OK) {
			log_ev(RK_LOG_ERROR, "auth.hash_job", LOG_ERR(&err));
			_exit(EXIT_FAILURE);
		}
		alarm(0);
		explicit_bzero(in.bytes, in.len);
		if (ipc_send(fd, &out, &err) != RK_OK)
			break;
		explicit_bzero(out.bytes, out.len);
	}
	_exit(EXIT_SUCCESS);
}

/* Forks one child and sends its socket to the pool. */
static void
child_make(int fd, const struct lockdown *how)
{
	struct rk_err err;
	int pair[2];
	pid_t pid;

	if (ipc_pair(pair, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "auth.hash_fork", LOG_ERR(&err));
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(fd);
		close(pair[0]);
		child_run(pair[1], how);
	}
	if (pid < 0) {
		(void)rk_fail(&err, RK_TEMP, "fork");
		log_ev(RK_LOG_ERROR, "auth.hash_fork", LOG_ERR(&err));
	} else {
		msg_begin(&out, HASH_CHILD, (uint64_t)pid);
		msg_put_fd(&out, pair[0]);
		if (ipc_send(fd, &out, &err) != RK_OK)
			log_ev(RK_LOG_ERROR, "auth.hash_fork", LOG_ERR(&err));
	}
	close(pair[0]);
	close(pair[1]);
}

static void
descriptors_close(unsigned first, unsigned last)
{
	if (first <= last)
		syscall(SYS_close_range, first, last, 0);
}

/* Nothing of the main process is of use here but the log. */
static void
descriptors_drop(int fd)
{
	unsigned keep = (unsigned)fd;

	for (unsigned other = SERVICE_FD_CONTROL; other <= SERVICE_FD_CONF; other++) {
		if (other != keep)
			descriptors_close(other, other);
	}
	if (keep > SERVICE_FD_LOG)
		descriptors_close(SERVICE_FD_LOG + 1, keep - 1);
	descriptors_close((keep > SERVICE_FD_LOG ? keep : SERVICE_FD_LOG) + 1, ~0U);
}

_Noreturn void
hash_forker_run(int fd, const struct lockdown *how)
{
	/* The children do not differ in anything that a new sandbox would need to know. */
	struct lockdown child_how = {
		.mode = how->mode,
		.uid = how->uid,
		.gid = how->gid,
	};
	struct rk_err err;

	descriptors_drop(fd);
	signal(SIGCHLD, SIG_IGN); /* no zombies; the pool sees a death by the closed socket */
	if (service_lock_down(&hash_forker_profile, how, &err) != RK_OK) {
		log_ev(RK_LOG_ERROR, "auth.hash_lockdown", LOG_ERR(&err));
		_exit(EXIT_FAILURE);
	}
	msg_begin(&out, HASH_READY, 0);
	if (ipc_send(fd, &out, &err) != RK_OK)
		_exit(EXIT_FAILURE);
	while (ipc_recv(fd, &in, &err) == RK_OK) {
		msg_drop(&in);
		if (in.type == HASH_WANT)
			child_make(fd, &child_how);
	}
	_exit(EXIT_SUCCESS);
}
