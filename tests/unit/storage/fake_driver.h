/*
 * A storage driver in memory for the tests of what stands above drivers. There is one store in the
 * process; the test changes it behind the server's back with the functions below.
 */
#ifndef TESTS_FAKE_DRIVER_H
#define TESTS_FAKE_DRIVER_H

#include <rookery/storage.h>

/* registry_add it; its name is "fake". Absent: create, delete, rename, append, copy, store, expunge
 * and attr_list over anything but subscriptions. */
extern const struct rk_driver fake_driver;

struct fake_box;

/* Forgets everything; an INBOX with UIDVALIDITY 1 is there again. */
void fake_reset(void);

struct fake_box *fake_box_add(const char *name);
struct fake_box *fake_box_find(const char *name);
void fake_box_remove(const char *name);
/* A level that holds no messages. */
void fake_level_add(const char *name);
void fake_subscribe(const char *name);

/* The text has the line ends that `eol` says; size_known: the driver tells RFC822.SIZE. */
uint32_t fake_msg_add(struct fake_box *box, uint32_t flags, const char *text);
uint32_t fake_msg_add_as(
    struct fake_box *box, uint32_t flags, const char *text, enum rk_eol eol, bool size_known);
void fake_msg_flags(struct fake_box *box, uint32_t uid, uint32_t flags);
void fake_msg_expunge(struct fake_box *box, uint32_t uid);
/* All UIDs are given anew under another UIDVALIDITY. */
void fake_box_renumber(struct fake_box *box);

enum fake_mode {
	FAKE_GOOD,
	FAKE_ALWAYS_FULL, /* never answers with changes only */
	FAKE_UID_ORDER,   /* from here on the contract is broken */
	FAKE_UID_ABOVE,
	FAKE_UIDVALIDITY_0,
	FAKE_UIDNEXT_BACK,
	FAKE_FLAG_UNKNOWN,
	FAKE_KEYWORD_UNNAMED,
	FAKE_KEYWORD_BAD,
	FAKE_LOCATOR_LONG,
	FAKE_STATE_LONG,
	FAKE_NONE_FOR_EMPTY,
	FAKE_BODY_BEYOND,
	FAKE_MODES,
};
void fake_mode_set(enum fake_mode mode);
/* Called at the end of each sync, before it returns. */
void fake_sync_hook_set(void (*hook)(void));
unsigned fake_syncs(void);
/* With attributes on (off after fake_reset) attr_get and attr_set keep values by mailbox. */
void fake_attrs_on(void);
const char *fake_attr(const char *box, const char *name);

#endif
