/* What the hash pool, its forker and the hash children say to each other; theirs alone. */
#ifndef AUTH_HASH_IMPL_H
#define AUTH_HASH_IMPL_H

#include "auth/scheme.h"
#include "lib/ipc/lockdown.h"
#include "lib/ipc/sock.h"

enum hash_message {
	HASH_VERIFY = 1, /* u32 scheme, stored data, password */
	HASH_DERIVE,     /* u32 scram_hash, u32 iterations, salt, password */
	HASH_ANSWER,     /* u32 verdict, stored_key, server_key (empty for HASH_VERIFY) */
	HASH_READY,      /* forker -> pool: locked down */
	HASH_WANT,       /* pool -> forker: one more child */
	HASH_CHILD,      /* forker -> pool: its socket */
};

/* The forker's life and, in its children, theirs. Never returns. */
_Noreturn void hash_forker_run(int fd, const struct lockdown *how);

/* One job: reads it from `m`, fills `answer`. RK_CORRUPT: not a job. For tests too. */
RK_MUST_CHECK enum rk_status hash_work(
    struct msg_in *m, struct msg_out *answer, struct rk_err *err);

extern const struct profile hash_forker_profile;
extern const struct profile hash_child_profile;

#endif
