/*
 * Row S03: what a process that was taken over tries. Each act runs in a process of its own under
 *the real profile of a gate or a worker; one line says whether it was refused or succeeded.
 *
 *	evil worker|gate OWN_MAILDIR OTHER_MAILDIR UID SERVER_PID
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imapd/gate/profile.h"
#include "imapd/session/session_profile.h"
#include "lib/ipc/lockdown.h"

static char own[512], other[512];
static pid_t server;

/* Path below the other user's mail. */
static const char *
theirs(const char *name)
{
	static char path[1024];

	snprintf(path, sizeof(path), "%s/%s", other, name);
	return path;
}

static bool
opens(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC, 0600) >= 0;
}

static bool
call(long result)
{
	return result >= 0;
}

static bool
makes_socket(int family, int type, int protocol)
{
	return socket(family, type, protocol) >= 0;
}

/* A descriptor that the process has anyway, misused. */
static bool
connects(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(25), .sin_addr = { htonl(INADDR_LOOPBACK) }
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
			      errno == ECONNREFUSED);
}

static bool
peeks(pid_t pid)
{
	char byte, path[64];
	struct iovec local = { &byte, 1 }, remote = { &server, 1 };

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	return opens(path, O_RDONLY) || process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1;
}

static bool
raises_limit(void)
{
	struct rlimit limit = { 100000, 100000 };

	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static bool
gets_root(void)
{
	return setuid(0) == 0 || setreuid(0, 0) == 0 || setresuid(0, 0, 0) == 0;
}

static bool
proc_file(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return opens(path, flags);
}

/* clang-format off */
#define ACT(name, expression) static bool act_##name(void) { return (expression); }
ACT(list_other, opens(other, O_RDONLY | O_DIRECTORY))
ACT(read_other, opens(theirs("new/1.M1P1.secret"), O_RDONLY))
ACT(write_other, opens(theirs("new/1.M1P1.secret"), O_WRONLY))
ACT(append_other, opens(theirs("new/1.M1P1.secret"), O_WRONLY | O_APPEND))
ACT(create_other, opens(theirs("new/forged"), O_WRONLY | O_CREAT | O_EXCL))
ACT(truncate_other, truncate(theirs("new/1.M1P1.secret"), 0) == 0)
ACT(unlink_other, unlink(theirs("new/1.M1P1.secret")) == 0)
ACT(rename_other, rename(theirs("new/1.M1P1.secret"), theirs("cur/x")) == 0)
ACT(link_other, link(theirs("new/1.M1P1.secret"), "/tmp/rk-evil-link") == 0)
ACT(mkdir_other, mkdir(theirs("evil"), 0700) == 0)
ACT(rmdir_other, rmdir(theirs("tmp")) == 0)
ACT(chmod_other, chmod(theirs("new/1.M1P1.secret"), 0777) == 0)
ACT(chown_other, chown(theirs("new/1.M1P1.secret"), getuid(), getgid()) == 0)
ACT(dotdot, (chdir(own) == 0 && opens("../../user2/Maildir/new", O_RDONLY)))
ACT(shadow, opens("/etc/shadow", O_RDONLY))
ACT(passwd, opens("/etc/passwd", O_RDONLY))
ACT(hostname_file, opens("/etc/hostname", O_RDONLY))
ACT(root_home, opens("/root", O_RDONLY | O_DIRECTORY))
ACT(slash, opens("/", O_RDONLY | O_DIRECTORY))
ACT(tmp_create, opens("/tmp/rk-evil", O_WRONLY | O_CREAT))
ACT(tmp_mkdir, mkdir("/tmp/rk-evil-dir", 0700) == 0)
ACT(dev_mem, opens("/dev/mem", O_RDONLY))
ACT(dev_kmsg, opens("/dev/kmsg", O_RDONLY))
ACT(proc_sys, opens("/proc/sys/kernel/hostname", O_WRONLY))
ACT(proc_master_mem, peeks(server))
ACT(proc_master_environ, proc_file(server, "environ", O_RDONLY))
ACT(proc_master_maps, proc_file(server, "maps", O_RDONLY))
ACT(proc_self_mem, opens("/proc/self/mem", O_RDWR))
ACT(proc_parent_fd, proc_file(getppid(), "fd", O_RDONLY | O_DIRECTORY))
ACT(mknod_device, mknod("/tmp/rk-evil-node", S_IFCHR | 0600, 0x101) == 0)
ACT(symlink_out, symlink("/etc/shadow", "/tmp/rk-evil-symlink") == 0)
ACT(exec_shell, execl("/bin/sh", "sh", "-c", "true", (char *)NULL) == 0 || false)
ACT(execveat_shell, call(syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0)))
ACT(fork_child, call(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)))
ACT(vfork_child, call(syscall(SYS_vfork)))
ACT(clone3_child, call(syscall(SYS_clone3, NULL, 0)))
ACT(socket_tcp, makes_socket(AF_INET, SOCK_STREAM, 0))
ACT(socket_udp, makes_socket(AF_INET, SOCK_DGRAM, 0))
ACT(socket_tcp6, makes_socket(AF_INET6, SOCK_STREAM, 0))
ACT(socket_unix, makes_socket(AF_UNIX, SOCK_STREAM, 0))
ACT(socket_netlink, makes_socket(AF_NETLINK, SOCK_RAW, 0))
ACT(socket_packet, makes_socket(AF_PACKET, SOCK_RAW, 0))
ACT(socket_raw, makes_socket(AF_INET, SOCK_RAW, 1))
ACT(connect_smtp, connects())
ACT(kill_master, kill(server, SIGTERM) == 0)
ACT(kill_parent, kill(getppid(), 0) == 0)
ACT(kill_all, kill(-1, SIGCONT) == 0)
ACT(tgkill_master, call(syscall(SYS_tgkill, server, server, 0)))
ACT(pidfd, call(syscall(SYS_pidfd_open, server, 0)))
ACT(ptrace_parent, ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0)
ACT(ptrace_seize, ptrace(PTRACE_SEIZE, server, 0, 0) == 0)
ACT(unshare_user, unshare(CLONE_NEWUSER) == 0)
ACT(unshare_net, unshare(CLONE_NEWNET) == 0)
ACT(setns_self, call(syscall(SYS_setns, 0, 0)))
ACT(mount_tmp, mount("none", "/tmp", "tmpfs", 0, NULL) == 0)
ACT(umount_proc, umount2("/proc", MNT_DETACH) == 0)
ACT(pivot, call(syscall(SYS_pivot_root, "/", "/")))
ACT(chroot_out, chroot("/") == 0)
ACT(become_root, gets_root())
ACT(set_gid, setgid(0) == 0)
ACT(set_groups, call(syscall(SYS_setgroups, 0, NULL)))
ACT(cap_set, call(syscall(SYS_capset, NULL, NULL)))
ACT(io_uring, call(syscall(SYS_io_uring_setup, 1, NULL)))
ACT(bpf_map, call(syscall(SYS_bpf, 0, NULL, 0)))
ACT(perf, call(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)))
ACT(userfault, call(syscall(SYS_userfaultfd, 0)))
ACT(key_ring, call(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 1)))
ACT(add_a_key, call(syscall(SYS_add_key, "user", "x", "y", 1, -3)))
ACT(module, call(syscall(SYS_init_module, NULL, 0, "")))
ACT(kexec, call(syscall(SYS_kexec_load, 0, 0, NULL, 0)))
ACT(reboot_now, call(syscall(SYS_reboot, 0, 0, 0, NULL)))
ACT(set_hostname, sethostname("x", 1) == 0)
ACT(set_time, settimeofday(&(struct timeval){ 0, 0 }, NULL) == 0)
ACT(io_ports, call(syscall(SYS_iopl, 3)))
ACT(write_and_execute, mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
ACT(execute_later, mprotect((void *)((uintptr_t)own & ~(uintptr_t)4095), 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0)
ACT(raise_limits, raises_limit())
ACT(priority, setpriority(PRIO_PROCESS, 0, -20) == 0)
ACT(shared_memory, shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) >= 0)
ACT(message_queue, msgget(IPC_PRIVATE, IPC_CREAT | 0600) >= 0)
ACT(semaphores, semget(IPC_PRIVATE, 1, IPC_CREAT | 0600) >= 0)
ACT(fanotify, call(syscall(SYS_fanotify_init, 0, 0)))
ACT(handle, call(syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0)))
ACT(dumpable, prctl(PR_SET_DUMPABLE, 1) == 0)
ACT(tty_inject, ioctl(0, TIOCSTI, "x") == 0)

#define ROW(name) { #name, act_##name }
static const struct act {
	const char *name;
	bool (*run)(void);
} acts[] = {
	ROW(list_other), ROW(read_other), ROW(write_other), ROW(append_other), ROW(create_other),
	ROW(truncate_other), ROW(unlink_other), ROW(rename_other), ROW(link_other), ROW(mkdir_other),
	ROW(rmdir_other), ROW(chmod_other), ROW(chown_other), ROW(dotdot), ROW(shadow), ROW(passwd),
	ROW(hostname_file), ROW(root_home), ROW(slash), ROW(tmp_create), ROW(tmp_mkdir), ROW(dev_mem),
	ROW(dev_kmsg), ROW(proc_sys), ROW(proc_master_mem), ROW(proc_master_environ),
	ROW(proc_master_maps), ROW(proc_self_mem), ROW(proc_parent_fd), ROW(mknod_device),
	ROW(symlink_out), ROW(exec_shell), ROW(execveat_shell), ROW(fork_child), ROW(vfork_child),
	ROW(clone3_child), ROW(socket_tcp), ROW(socket_udp), ROW(socket_tcp6), ROW(socket_unix),
	ROW(socket_netlink), ROW(socket_packet), ROW(socket_raw), ROW(connect_smtp), ROW(kill_master),
	ROW(kill_parent), ROW(kill_all), ROW(tgkill_master), ROW(pidfd), ROW(ptrace_parent),
	ROW(ptrace_seize), ROW(unshare_user), ROW(unshare_net), ROW(setns_self), ROW(mount_tmp),
	ROW(umount_proc), ROW(pivot), ROW(chroot_out), ROW(become_root), ROW(set_gid), ROW(set_groups),
	ROW(cap_set), ROW(io_uring), ROW(bpf_map), ROW(perf), ROW(userfault), ROW(key_ring),
	ROW(add_a_key), ROW(module), ROW(kexec), ROW(reboot_now), ROW(set_hostname), ROW(set_time),
	ROW(io_ports), ROW(write_and_execute), ROW(execute_later), ROW(raise_limits), ROW(priority),
	ROW(shared_memory), ROW(message_queue), ROW(semaphores), ROW(fanotify), ROW(handle),
	ROW(dumpable), ROW(tty_inject),
};
/* clang-format on */

static void
lock_down(bool worker, uid_t uid)
{
	char empty[] = "/tmp/rk-evil-empty.XXXXXX";
	struct os_path_rule rule = { open(own, O_PATH | O_CLOEXEC), OS_READ | OS_WRITE };
	struct lockdown how = {
		.uid = uid,
		.gid = geteuid() == 0 ? (gid_t)uid : getegid(),
		.empty_dir = mkdtemp(empty),
		.rules = &rule,
		.nrules = worker ? 1 : 0,
	};
	struct profile profile = worker ? session_profile(0) : gate_profile(16);
	struct rk_err err;

	if (service_lock_down(&profile, &how, &err) != RK_OK)
		_exit(99);
}

static int
act_run(const struct act *act, bool worker, uid_t uid)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		lock_down(worker, uid);
		/* Straight to the kernel: exit handlers are not what is tried here. */
		syscall(SYS_exit_group, act->run() ? 42 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
		return -1;
	/* An exec that succeeded ends with the program's own 0. */
	return WIFEXITED(status) && (WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0);
}

int
main(int argc, char **argv)
{
	bool worker;

	if (argc != 6)
		return 2;
	worker = strcmp(argv[1], "worker") == 0;
	snprintf(own, sizeof(own), "%s", argv[2]);
	snprintf(other, sizeof(other), "%s", argv[3]);
	server = (pid_t)atoi(argv[5]);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		int done = act_run(&acts[i], worker, (uid_t)atoi(argv[4]));

		if (done < 0) {
			fprintf(stderr, "%s could not be tried\n", acts[i].name);
			return 1;
		}
		printf("%s %s\n", done ? "succeeded" : "refused", acts[i].name);
	}
	return 0;
}
