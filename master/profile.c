#include "master/profile.h"

#include <linux/capability.h>

#define CAP(x) (1ULL << (x))

/*
 * A filter is inherited over exec and filters add up, so the master can't have a short list of its
 * own: what it forbids itself is forbidden to every child, and the spawner has to allow what a
 * storage driver of somebody else may need. So this one names what nobody in the house has any
 * business with: the calls that change, inspect or load code into the system or other processes.
 * Each child, and each worker, puts its own list of allowed calls on top.
 *
 * They fail with EPERM instead of killing, because libraries try some of them (a keyring, a
 * namespace) and go on without.
 */
/* clang-format off */
const char *const master_denied[] = {
	/* other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
	"pidfd_getfd", "migrate_pages", "move_pages",
	/* code and devices of the kernel */
	"init_module", "finit_module", "delete_module", "create_module", "kexec_load",
	"kexec_file_load", "bpf", "iopl", "ioperm", "lookup_dcookie", "nfsservctl", "uselib",
	/* interfaces with a history of holes that nothing of ours uses */
	"io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "perf_event_open",
	"keyctl", "add_key", "request_key", "vmsplice", "modify_ldt", "personality", "fanotify_init",
	/* the machine */
	"mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig",
	"fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "reboot", "sethostname",
	"setdomainname", "acct", "quotactl", "quotactl_fd", "syslog", "vhangup", "sysfs", "_sysctl",
	"settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime",
	/* ways out of namespaces and directories */
	"unshare", "setns", "open_by_handle_at", "name_to_handle_at",
};
/* clang-format on */

const size_t master_ndenied = sizeof(master_denied) / sizeof(master_denied[0]);

const struct profile master_profile = {
	.name = "master",
	.keep_caps = CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_CHOWN) |
	             CAP(CAP_NET_BIND_SERVICE) | CAP(CAP_KILL) | CAP(CAP_SYS_CHROOT),
};
