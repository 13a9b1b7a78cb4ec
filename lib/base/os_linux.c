#include "lib/base/os_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's kernel headers know Landlock up to ABI 2; these are later parts of the same
 * interface. */
#define LL_FS_TRUNCATE (1ULL << 14)
#define LL_FS_IOCTL_DEV (1ULL << 15)
#define LL_NET_BIND_TCP (1ULL << 0)
#define LL_NET_CONNECT_TCP (1ULL << 1)
#define LL_SCOPE_ABSTRACT (1ULL << 0)
#define LL_SCOPE_SIGNAL (1ULL << 1)

#define LL_FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LL_FS_WRITE                                                                                \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                         \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | LL_FS_TRUNCATE)
#define LL_FS_FILE_ONLY                                                                            \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
	    LANDLOCK_ACCESS_FS_EXECUTE | LL_FS_TRUNCATE)
/* All of the first ABI: EXECUTE (bit 0) to MAKE_SYM (bit 12). */
#define LL_FS_ABI1 ((1ULL << 13) - 1)

struct ruleset_attr {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

int
os_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

static uint64_t
fs_handled(int abi)
{
	uint64_t fs = LL_FS_ABI1;

	if (abi >= 2)
		fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		fs |= LL_FS_TRUNCATE;
	if (abi >= 5)
		fs |= LL_FS_IOCTL_DEV;
	return fs;
}

static enum rk_status
landlock_add(int ruleset, const struct os_path_rule *rule, uint64_t handled, struct rk_err *err)
{
	struct landlock_path_beneath_attr attr = { .parent_fd = rule->fd };
	struct stat st;

	if ((rule->access & OS_READ) != 0)
		attr.allowed_access |= LL_FS_READ;
	if ((rule->access & OS_WRITE) != 0)
		attr.allowed_access |= LL_FS_WRITE;
	if ((rule->access & OS_EXECUTE) != 0)
		attr.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
	if (fstat(rule->fd, &st) < 0)
		return rk_fail(err, RK_TEMP, "fstat of a sandbox path");
	if (!S_ISDIR(st.st_mode))
		attr.allowed_access &= LL_FS_FILE_ONLY;
	attr.allowed_access &= handled;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0)
		return rk_fail(err, RK_TEMP, "landlock_add_rule");
	return RK_OK;
}

/* Size of the attribute that a kernel of this ABI knows. */
static size_t
attr_size(int abi)
{
	if (abi >= 6)
		return sizeof(struct ruleset_attr);
	return abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

static const char *
landlock_missing(int abi, bool tcp_denied)
{
	if (abi < 2)
		return "rename-between-directories truncate tcp scopes";
	if (abi < 3)
		return tcp_denied ? "truncate tcp scopes" : "truncate scopes";
	if (abi < 4 && tcp_denied)
		return "tcp scopes";
	return abi < 6 ? "scopes" : "";
}

enum rk_status
os_landlock(const struct os_path_rule *rules, size_t n, bool tcp_denied, const char **missing_out,
    struct rk_err *err)
{
	int abi = os_landlock_abi();
	struct ruleset_attr attr = { .fs = fs_handled(abi) };
	enum rk_status status = RK_OK;
	int ruleset;

	if (abi == 0)
		return rk_fail(err, RK_UNSUPPORTED, "this kernel has no Landlock");
	if (abi >= 4 && tcp_denied)
		attr.net = LL_NET_BIND_TCP | LL_NET_CONNECT_TCP;
	if (abi >= 6)
		attr.scoped = LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL;
	*missing_out = landlock_missing(abi, tcp_denied);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_size(abi), 0);
	if (ruleset < 0)
		return rk_fail(err, RK_TEMP, "landlock_create_ruleset");
	for (size_t i = 0; i < n && status == RK_OK; i++)
		status = landlock_add(ruleset, &rules[i], attr.fs, err);
	if (status == RK_OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		status = rk_fail(err, RK_TEMP, "no_new_privs");
	if (status == RK_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		status = rk_fail(err, RK_TEMP, "landlock_restrict_self");
	close(ruleset);
	return status;
}

/*
 * Adds one call. Memory that is to be executed is never allowed (W^X for good once locked down),
 * kill() only as the question whether a process lives, tgkill() (abort's) only of oneself.
 */
static int
rule_add(scmp_filter_ctx ctx, uint32_t action, int nr)
{
	if (action == SCMP_ACT_ALLOW && (nr == SCMP_SYS(mmap) || nr == SCMP_SYS(mprotect)))
		return seccomp_rule_add(
		    ctx, action, nr, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (action == SCMP_ACT_ALLOW && nr == SCMP_SYS(kill))
		return seccomp_rule_add(ctx, action, nr, 1, SCMP_A1(SCMP_CMP_EQ, 0, 0));
	if (action == SCMP_ACT_ALLOW && nr == SCMP_SYS(tgkill))
		return seccomp_rule_add(
		    ctx, action, nr, 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	return seccomp_rule_add(ctx, action, nr, 0);
}

/* A filter that does `listed` for the n calls and `other` for all the rest. */
static enum rk_status
filter_load(
    const char *const *syscalls, size_t n, uint32_t listed, uint32_t other, struct rk_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(other);
	enum rk_status status = RK_OK;
	int rc;

	if (ctx == NULL)
		return rk_fail(err, RK_TEMP, "seccomp_init");
	for (size_t i = 0; i < n && status == RK_OK; i++) {
		int nr = seccomp_syscall_resolve_name(syscalls[i]);

		if (nr < 0)
			continue; /* not on this architecture */
		rc = rule_add(ctx, listed, nr);
		if (rc < 0) {
			errno = -rc;
			status = rk_fail(err, RK_TEMP, "seccomp rule for %s", syscalls[i]);
		}
	}
	if (status == RK_OK && (rc = seccomp_load(ctx)) < 0) {
		errno = -rc;
		status = rk_fail(err, RK_TEMP, "seccomp_load");
	}
	seccomp_release(ctx);
	return status;
}

enum rk_status
os_seccomp(
    const char *const *syscalls, size_t n, enum os_unknown_syscall action, struct rk_err *err)
{
	return filter_load(syscalls, n, SCMP_ACT_ALLOW,
	    action == OS_SYSCALL_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM), err);
}

enum rk_status
os_seccomp_deny(const char *const *syscalls, size_t n, struct rk_err *err)
{
	return filter_load(syscalls, n, SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW, err);
}

static enum rk_status
ids_prove(uid_t uid, gid_t gid, struct rk_err *err)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0)
		return rk_fail(err, RK_TEMP, "reading back ids");
	if (r != uid || e != uid || s != uid || rg != gid || eg != gid || sg != gid)
		return rk_fail_plain(err, RK_DENIED, "ids are not %u:%u after the change",
		    (unsigned)uid, (unsigned)gid);
	/* Privilege that is really gone can't be had back. */
	if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return rk_fail_plain(err, RK_DENIED, "root could be had back");
	return RK_OK;
}

enum rk_status
os_become(uid_t uid, gid_t gid, const gid_t *groups, size_t n, struct rk_err *err)
{
	if (geteuid() != 0) {
		if (uid != geteuid() || gid != getegid())
			return rk_fail_plain(err, RK_DENIED, "only root can become %u:%u",
			    (unsigned)uid, (unsigned)gid);
		return RK_OK;
	}
	if (setgroups(n, groups) < 0)
		return rk_fail(err, RK_TEMP, "setgroups");
	if (setresgid(gid, gid, gid) < 0)
		return rk_fail(err, RK_TEMP, "setresgid %u", (unsigned)gid);
	if (setresuid(uid, uid, uid) < 0)
		return rk_fail(err, RK_TEMP, "setresuid %u", (unsigned)uid);
	return ids_prove(uid, gid, err);
}

static enum rk_status
bounding_drop(uint64_t mask, struct rk_err *err)
{
	for (int cap = 0; cap <= 63; cap++) {
		if ((mask & (1ULL << cap)) != 0)
			continue;
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			continue; /* not known to this kernel, or gone already */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return rk_fail(err, RK_TEMP, "dropping capability %d", cap);
	}
	return RK_OK;
}

enum rk_status
os_keep_caps(uint64_t mask, struct rk_err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	enum rk_status status;

	if (syscall(SYS_capget, &head, data) < 0)
		return rk_fail(err, RK_TEMP, "capget");
	if ((data[0].effective & (1u << CAP_SETPCAP)) != 0) {
		status = bounding_drop(mask, err);
		if (status != RK_OK)
			return status;
	}
	for (int i = 0; i < 2; i++) {
		uint32_t part = (uint32_t)(mask >> (32 * i));

		data[i].permitted &= part;
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		return rk_fail(err, RK_TEMP, "capset");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return rk_fail(err, RK_TEMP, "clearing ambient capabilities");
	return RK_OK;
}

enum rk_status
os_chroot(const char *path, struct rk_err *err)
{
	if (chroot(path) < 0)
		return rk_fail(err, RK_TEMP, "chroot %s", path);
	if (chdir("/") < 0)
		return rk_fail(err, RK_TEMP, "chdir into the new root");
	return RK_OK;
}

#ifdef ROOKERY_SANITIZE
static const unsigned long dumpable = 1; /* LeakSanitizer looks at its process as a debugger does */
#else
static const unsigned long dumpable = 0;
#endif

enum rk_status
os_harden(struct rk_err *err)
{
	struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return rk_fail(err, RK_TEMP, "no_new_privs");
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return rk_fail(err, RK_TEMP, "core limit");
	if (prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) < 0)
		return rk_fail(err, RK_TEMP, "not dumpable");
	return RK_OK;
}

enum rk_status
os_sealed_file(const char *name, const void *bytes, size_t n, int *fd_out, struct rk_err *err)
{
	const char *p = bytes;
	enum rk_status status;
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return rk_fail(err, RK_TEMP, "memfd %s", name);
	while (n > 0) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			status = rk_fail(err, RK_TEMP, "writing memfd %s", name);
			close(fd);
			return status;
		}
		p += put;
		n -= (size_t)put;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		status = rk_fail(err, RK_TEMP, "sealing memfd %s", name);
		close(fd);
		return status;
	}
	*fd_out = fd;
	return RK_OK;
}

void
os_random(void *bytes, size_t n)
{
	unsigned char *p = bytes;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		p += got;
		n -= (size_t)got;
	}
}
