/*
 * Calls into a driver, with its contract checked: what a driver hands over was read from a store
 * that anybody may have damaged, and the index and the protocol above rely on it.
 */
#ifndef MAILBOX_BOX_H
#define MAILBOX_BOX_H

#include <rookery/storage.h>

/* Fills the operations that may be absent with ones that answer RK_UNSUPPORTED. */
void box_defaults(struct rk_driver *driver);
/* RK_INVALID: the driver is of another ABI or lacks a required operation; the text names it. */
RK_MUST_CHECK enum rk_status box_driver_check(const struct rk_driver *driver, struct rk_err *err);
/* Whether the driver has store and expunge. */
bool box_can_change(const struct rk_driver *driver);

/* An opened mailbox of a driver. */
struct box {
	const struct rk_driver *driver;
	struct rk_box *handle;
};

/* What is known before a sync; uidvalidity 0: nothing. `state` goes to the driver. */
struct box_before {
	struct rk_blob state;
	unsigned char guid[RK_GUID_LEN];
	uint32_t uidvalidity;
	uint32_t uidnext;
};

/* RK_CORRUPT, logged with driver and mailbox, when the delta breaks the contract. */
RK_MUST_CHECK enum rk_status box_sync(const struct box *box, const struct box_before *before,
    struct rk_arena *mem, struct rk_delta *delta_out, struct rk_err *err);

/* RK_CORRUPT too when the UIDs that the driver gave are none. */
RK_MUST_CHECK enum rk_status box_append(const struct box *box, const struct rk_new_msg *msgs,
    size_t n, struct rk_arena *mem, struct rk_uids *out, struct rk_err *err);
RK_MUST_CHECK enum rk_status box_copy(const struct box *box, const struct rk_copy *copy,
    struct rk_arena *mem, struct rk_uids *out, struct rk_err *err);

RK_MUST_CHECK enum rk_status box_body(
    const struct box *box, const struct rk_ref *ref, struct rk_body *out, struct rk_err *err);

#endif
