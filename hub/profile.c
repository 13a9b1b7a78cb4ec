#include "hub/profile.h"

/* Sockets that others hand in, and nothing else: no file, no network, no process. */
static const char *const syscalls[] = {
	"epoll_wait",
	"epoll_pwait",
	"epoll_ctl",
	"recvmsg",
	"sendmsg",
	"sendto",
	"close",
	"fcntl",
	"setsockopt",
	"getsockopt",
	"poll",
	"ppoll",
	"clock_gettime",
	"getpid",
	"gettid",
	"tgkill",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"restart_syscall",
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"write",
	"exit_group",
	"futex",
	"madvise",
};

const struct profile hub_profile = {
	.name = "hub",
	.syscalls = syscalls,
	.nsyscalls = sizeof(syscalls) / sizeof(syscalls[0]),
	.chroot_empty = true,
	.tcp_denied = true,
	.landlock = true,
	.limit_data = 256u << 20,
	.no_fork = true,
};
