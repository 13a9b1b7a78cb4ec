#include "auth/profile.h"

#include "auth/hash_impl.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/*
 * The main process: messages, timers, and reading the passwd-files again. No socket, no process, no
 * program; of the file system only the directories of the passwd-files, to read (Landlock rules
 * from the drivers).
 */
/* clang-format off */
static const char *const authd_calls[] = {
	/* loop, links, log */
	"epoll_wait", "epoll_pwait", "epoll_ctl", "recvmsg", "sendmsg", "sendto", "poll",
	"ppoll", "read", "write", "close", "fcntl", "restart_syscall",
	/* passwd-files */
	"openat2", "fstat", "newfstatat", "pread64", "lseek",
	/* memory, time, chance */
	"brk", "mmap", "munmap", "mremap", "madvise", "futex", "clock_gettime",
	"gettimeofday", "getrandom",
	/* signals, the end, a bug that says so */
	"rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "getpid", "gettid", "tgkill",
	"exit", "exit_group",
};
/* clang-format on */

const struct profile authd_profile = {
	.name = "authd",
	.syscalls = authd_calls,
	.nsyscalls = COUNT(authd_calls),
	.chroot_empty = true,
	.tcp_denied = true,
	.landlock = true,
	.limit_nofile = 256,
	.limit_data = 1024ULL * 1024 * 1024, /* two passwd-files of 64 MiB with their indexes */
	.limit_fsize = 1,
	.no_fork = true,
};

/* The forker: forks, and lets its children confine themselves further. It sees no password. */
/* clang-format off */
static const char *const forker_calls[] = {
	"recvmsg", "sendmsg", "sendto", "poll", "ppoll", "close", "socketpair", "write",
	"clone", "clone3", "fork", "set_robust_list", "rseq", "prctl", "seccomp", "capget",
	"capset", "prlimit64", "getrlimit", "setrlimit", "geteuid", "getegid", "getuid",
	"getgid", "getpid", "gettid", "tgkill", "brk", "mmap", "munmap", "mremap",
	"madvise", "futex", "clock_gettime", "getrandom", "rt_sigreturn", "rt_sigprocmask",
	"rt_sigaction", "setitimer", "alarm", "restart_syscall", "exit", "exit_group",
};
/* clang-format on */

const struct profile hash_forker_profile = {
	.name = "authd-forker",
	.syscalls = forker_calls,
	.nsyscalls = COUNT(forker_calls),
	.chroot_empty = true,
	.tcp_denied = true,
	.landlock = true,
	.limit_nofile = 64,
	.limit_fsize = 1,
};

/* A hash child: takes a job, computes, answers. Its memory is bounded by what one hash may need. */
/* clang-format off */
static const char *const child_calls[] = {
	"recvmsg", "sendmsg", "sendto", "poll", "ppoll", "brk", "mmap", "munmap", "mremap",
	"madvise", "futex", "clock_gettime", "setitimer", "alarm", "rt_sigreturn",
	"rt_sigprocmask", "rt_sigaction", "getpid", "gettid", "tgkill", "restart_syscall",
	"exit", "exit_group",
};
/* clang-format on */

const struct profile hash_child_profile = {
	.name = "authd-hash",
	.syscalls = child_calls,
	.nsyscalls = COUNT(child_calls),
	.limit_data = 384ULL * 1024 * 1024,
	.no_fork = true,
};
