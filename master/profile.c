#include "master/profile.h"

#include <linux/capability.h>

#define CAP(x) (1ULL << (x))

/* No list of allowed calls: a filter is inherited, so it would have to hold what every child does.
 * service_lock_down denies what nobody in the house needs instead. */
const struct profile master_profile = {
	.name = "master",
	.keep_caps = CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_CHOWN) |
	             CAP(CAP_NET_BIND_SERVICE) | CAP(CAP_KILL) | CAP(CAP_SYS_CHROOT),
};
