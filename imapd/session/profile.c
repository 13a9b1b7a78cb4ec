#include "imapd/session/session_profile.h"

/*
 * At most 60 (S06). Files are opened, written, renamed and removed, all within Landlock's rules;
 * there is no socket, no connect, no clone, no exec, no change of identity. inotify is IDLE's,
 * ftruncate, fstatfs and uname are LMDB's, sysinfo is qsort's. rt_sigaction, tgkill and gettid are
 * abort()'s: an impossible state must end with its own signal, not with SIGSYS.
 */
static const char *const syscalls[] = {
	"brk",
	"clock_gettime",
	"close",
	"exit_group",
	"fchmodat",
	"fcntl",
	"fdatasync",
	"fstat",
	"fstatfs",
	"fsync",
	"ftruncate",
	"futex",
	"getdents64",
	"geteuid",
	"getpid",
	"getrandom",
	"gettid",
	"inotify_add_watch",
	"inotify_init1",
	"kill",
	"linkat",
	"lseek",
	"madvise",
	"mkdir",
	"memfd_create",
	"mkdirat",
	"mmap",
	"mprotect",
	"mremap",
	"munmap",
	"newfstatat",
	"openat",
	"openat2",
	"poll",
	"ppoll",
	"pread64",
	"pwrite64",
	"pwritev",
	"read",
	"recvmsg",
	"renameat",
	"renameat2",
	"restart_syscall",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sendfile",
	"sendmsg",
	"sendto",
	"set_robust_list",
	"sysinfo",
	"tgkill",
	"uname",
	"unlink",
	"unlinkat",
	"utimensat",
	"write",
	"writev",
};

struct profile
session_profile(uint64_t memory)
{
	struct profile p = {
		.name = "imapd",
		.syscalls = syscalls,
		.nsyscalls = sizeof(syscalls) / sizeof(syscalls[0]),
		.tcp_denied = true,
		.landlock = true,
		.limit_nofile = 128,
		.limit_data = memory,
		.no_fork = true,
	};

	return p;
}
