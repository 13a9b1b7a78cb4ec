/*
 * A mailbox's keywords. Letters `a` to `z` of file names have their names in `dovecot-keywords`.
 * Beyond them the names stand in EXTRA_FILE (the format of attrs.h): a line each, in the order of
 * their positions, never taken out; and for each message that has some of them its names, parted by
 * spaces. sync.c watches both files.
 */
#ifndef MAILDIR_KEYWORDS_H
#define MAILDIR_KEYWORDS_H

#include "storage/drivers/maildir/attrs.h"

#define KEYWORDS_FILE "dovecot-keywords"
#define EXTRA_FILE "rookery-keywords"
#define EXTRA_MAX (RK_KEYWORDS_MAX - LETTERS)

/* An atom that a client may be told (RFC 9051 flag-keyword). */
bool keyword_valid(struct str s);
/* Lines of KEYWORDS_FILE; NULL where unused. */
void keywords_parse(struct str bytes, struct rk_arena *mem, const char *letters[LETTERS]);

struct extra_msg {
	uint32_t uid;
	struct str names;
};

struct keyword_table {
	const char *letters[LETTERS];
	const char *extra[EXTRA_MAX]; /* position LETTERS + i; NULL: unused */
	size_t nextra;
	struct extra_msg *msgs; /* ascending by UID */
	size_t nmsgs;
	bool letters_new; /* since it was read */
	size_t extra_new; /* so many of the last ones */
};

/* Entries of EXTRA_FILE into the table. */
void keywords_extra(const struct attrs *attrs, struct rk_arena *mem, struct keyword_table *table);
/* Both files. */
RK_MUST_CHECK enum rk_status keywords_read(
    struct rk_box *box, struct rk_arena *mem, struct keyword_table *out, struct rk_err *err);

/* Where keywords stand: letters (bit 0 is `a`), and the names that have none, in `mem`. */
struct keyword_places {
	uint64_t letters;
	struct rk_words extra;
};
/* Names that the table lacks are left out; false: there were some. */
bool keywords_find(const struct keyword_table *table, const struct rk_words *words,
    struct rk_arena *mem, struct keyword_places *out);
/* They are added to the table instead. RK_LIMIT: no room, and nothing of it is written. */
RK_MUST_CHECK enum rk_status keywords_make(struct keyword_table *table,
    const struct rk_words *words, struct rk_arena *mem, struct keyword_places *out,
    struct rk_err *err);
/* Writes what keywords_make added; uidlist_lock is held since the table was read. */
RK_MUST_CHECK enum rk_status keywords_save(
    struct rk_box *box, const struct keyword_table *table, struct rk_err *err);

/* Names of a message's keywords beyond the letters, "" if it has none. */
struct str keywords_of(const struct keyword_table *table, uint32_t uid);
/* Their bits are set. */
void keywords_bits(const struct keyword_table *table, struct str names, struct rk_keywords *out);

/* --- extra.c: messages' keywords beyond the letters --- */

struct extra_words {
	uint32_t uid;
	struct rk_words words;
};
/* Sorts `msgs` by UID; each UID once. */
RK_MUST_CHECK enum rk_status extra_change(struct rk_box *box, enum rk_store_mode mode,
    struct extra_words *msgs, size_t n, struct rk_err *err);
/* Adds names of the table's end to the file. */
RK_MUST_CHECK enum rk_status extra_save(
    struct rk_box *box, const struct keyword_table *table, struct rk_err *err);
/* Forgets keywords and attributes of messages that were removed; what can't be is only room. */
void extra_forget(struct rk_box *box, const struct rk_ref *refs, size_t n);

#endif
