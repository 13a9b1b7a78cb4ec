/*
 * Keywords beyond the letters: names in an attribute of the mailbox (a line each, in the order of
 * their positions, never taken out), and an attribute of each message that has some of them (names
 * parted by spaces). Both stand in ATTRS_FILE.
 */
#ifndef MAILDIR_EXTRA_H
#define MAILDIR_EXTRA_H

#include "storage/drivers/maildir/attrs.h"

/* Name of the attributes. */
#define EXTRA_ATTR "keywords"
#define EXTRA_MAX (RK_KEYWORDS_MAX - LETTERS)

struct extra {
	const char *names[EXTRA_MAX]; /* position LETTERS + i */
	size_t n;
	struct attrs attrs; /* of the whole file */
};

RK_MUST_CHECK enum rk_status extra_read(
    struct rk_box *box, struct rk_arena *mem, struct extra *out, struct rk_err *err);
/* Whether one of the names is there; ASCII case ignored. */
bool extra_has(const struct extra *x, struct str name);
/* Names that the message has, "" if none; borrowed. */
struct str extra_of(const struct extra *x, uint32_t uid);
/* Their bits are set. */
void extra_bits(const struct extra *x, struct str names, struct rk_keywords *out);

/* A change of messages' keywords beyond the letters; names that are new get a position. Locks the
 * file. RK_LIMIT: then nothing is changed. n 0: only the names are made. */
struct extra_change {
	enum rk_store_mode mode;
	struct rk_words words;
	const uint32_t *uids; /* in any order */
	size_t n;
};
RK_MUST_CHECK enum rk_status extra_change(
    struct rk_box *box, const struct extra_change *change, struct rk_err *err);
/* All attributes of messages that are gone. */
RK_MUST_CHECK enum rk_status extra_forget(
    struct rk_box *box, const uint32_t *uids, size_t n, struct rk_err *err);

#endif
