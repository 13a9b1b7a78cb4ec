#include "imapd/gate/profile.h"

/*
 * At most 30 (S06). No open, no socket, no clone, no exec, no mprotect. socketpair is for relays;
 * rt_sigaction, tgkill and their like are abort()'s: an impossible state must end with its own
 * signal, not with SIGSYS.
 */
static const char *const syscalls[] = {
	"accept4",
	"brk",
	"clock_gettime",
	"close",
	"epoll_ctl",
	"epoll_wait",
	"exit_group",
	"fcntl",
	"futex",
	"getpid",
	"getrandom",
	"getsockname",
	"gettid",
	"mmap",
	"mremap",
	"munmap",
	"poll",
	"read",
	"recvfrom",
	"recvmsg",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sendmsg",
	"sendto",
	"setsockopt",
	"shutdown",
	"socketpair",
	"tgkill",
	"write",
};

struct profile
gate_profile(size_t connections)
{
	struct profile p = {
		.name = "gate",
		.syscalls = syscalls,
		.nsyscalls = sizeof(syscalls) / sizeof(syscalls[0]),
		.chroot_empty = true,
		.tcp_denied = true,
		.landlock = true,
		.limit_nofile = 2 * (uint64_t)connections + 160,
		.no_fork = true,
	};

	return p;
}
