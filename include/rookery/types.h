/*
 * Plain data that crosses the storage contract. Everything here can be written into a message and
 * read back in another process: no callbacks, no hidden pointers.
 */
#ifndef ROOKERY_TYPES_H
#define ROOKERY_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Marks what the server lends to loadable drivers; everything else is hidden from them. */
#define RK_API __attribute__((visibility("default")))

/* Bytes with a length. `data` may be NULL only when `len` is 0. Never NUL-terminated by contract.
 */
struct rk_blob {
	const void *data;
	size_t len;
};

/* System flags (RFC 9051 section 2.3.2). \Recent is a matter of the session, never of the store. */
enum rk_flag {
	RK_FLAG_SEEN = 1u << 0,
	RK_FLAG_ANSWERED = 1u << 1,
	RK_FLAG_FLAGGED = 1u << 2,
	RK_FLAG_DELETED = 1u << 3,
	RK_FLAG_DRAFT = 1u << 4,
};
#define RK_FLAGS_ALL 0x1fu

/* At most this many keywords in one mailbox, each of at most RK_KEYWORD_LEN bytes. */
#define RK_KEYWORDS_MAX 256
#define RK_KEYWORD_LEN 64

/* Set of keywords as positions in the mailbox's keyword table (struct rk_delta.keywords). */
struct rk_keywords {
	uint64_t bits[RK_KEYWORDS_MAX / 64];
};

/* Bytes of a mailbox's identity: 16, shown as 32 hex digits. */
#define RK_GUID_LEN 16

/* Largest mailbox name in bytes (UTF-8, `/` between the parts), its parts and its depth. */
#define RK_NAME_MAX 1024
#define RK_NAME_PART_MAX 255
#define RK_NAME_DEPTH_MAX 32

/* Size that the store does not know without reading the message. */
#define RK_SIZE_UNKNOWN UINT64_MAX

/* How line ends stand in the stored bytes. */
enum rk_eol {
	RK_EOL_UNKNOWN, /* nobody looked yet: read it as RK_EOL_LF */
	RK_EOL_CRLF,    /* every line ends with CR LF: may be sent as it is */
	RK_EOL_LF,      /* bare LF (some CR LF perhaps): bare LF is given back as CR LF */
};

#endif
