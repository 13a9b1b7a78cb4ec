/* The Linux calls behind the sandbox; each wrapper says in `err` what failed. */
#ifndef BASE_OS_LINUX_H
#define BASE_OS_LINUX_H

#include <rookery/error.h>

#include <sys/types.h>

/* Landlock ABI of the running kernel, 0 if there is none. */
int os_landlock_abi(void);

enum os_access {
	OS_READ = 1,    /* read files, list directories */
	OS_WRITE = 2,   /* write, create, remove, rename, link beneath */
	OS_EXECUTE = 4, /* execute files */
};

struct os_path_rule {
	int fd;          /* O_PATH or ordinary descriptor of a directory or file */
	unsigned access; /* enum os_access bits */
};

/*
 * Confines this process: files only by `rules`; with tcp_denied no TCP bind or connect (ABI 4);
 * signals and abstract sockets scoped (ABI 6). Parts that the kernel's ABI lacks are named in
 * missing_out (static text, "" if none). RK_UNSUPPORTED without Landlock. Sets no_new_privs.
 */
RK_MUST_CHECK enum rk_status os_landlock(const struct os_path_rule *rules, size_t n,
    bool tcp_denied, const char **missing_out, struct rk_err *err);

enum os_unknown_syscall {
	OS_SYSCALL_KILL,  /* the process dies with SIGSYS */
	OS_SYSCALL_ERRNO, /* the call fails with EPERM */
};

/* Allows the n system calls (names as libseccomp knows them) and no other; one that this
 * architecture lacks is skipped. mmap and mprotect are allowed without PROT_EXEC
 * only, kill with signal 0 only. */
RK_MUST_CHECK enum rk_status os_seccomp(
    const char *const *syscalls, size_t n, enum os_unknown_syscall action, struct rk_err *err);

/* Denies (EPERM) the n system calls and allows all others: for processes whose children need more.
 */
RK_MUST_CHECK enum rk_status os_seccomp_deny(
    const char *const *syscalls, size_t n, struct rk_err *err);

/* setgroups, setresgid, setresuid, then proves it: ids re-read, and a way back must fail. As an
 * ordinary user only a change to oneself is accepted (RK_OK, nothing done). */
RK_MUST_CHECK enum rk_status os_become(
    uid_t uid, gid_t gid, const gid_t *groups, size_t n, struct rk_err *err);

/* Keeps only the capabilities in the bit mask (1 << CAP_X) in all sets including the bounding set;
 * 0 drops all. No-op for a process that has none. */
RK_MUST_CHECK enum rk_status os_keep_caps(uint64_t mask, struct rk_err *err);

/* chroot(path) and chdir("/"). */
RK_MUST_CHECK enum rk_status os_chroot(const char *path, struct rk_err *err);

/* No new privileges, not dumpable, no core files. */
RK_MUST_CHECK enum rk_status os_harden(struct rk_err *err);

/* Anonymous file (memfd) with `bytes`, sealed against change; *fd_out is the caller's. */
RK_MUST_CHECK enum rk_status os_sealed_file(
    const char *name, const void *bytes, size_t n, int *fd_out, struct rk_err *err);

/* Random bytes from the kernel; never fails (the process ends if it has none). */
void os_random(void *bytes, size_t n);

#endif
