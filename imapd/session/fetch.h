/* What FETCH takes out of messages; for this folder only. */
#ifndef SESSION_FETCH_H
#define SESSION_FETCH_H

#include "imapd/proto/command.h"
#include "imapd/session/body.h"

#define FETCH_KIND(k) (1u << (k))
#define FETCH_KINDS_STRUCTURE                                                                      \
	(FETCH_KIND(FETCH_ENVELOPE) | FETCH_KIND(FETCH_BODY) | FETCH_KIND(FETCH_BODYSTRUCTURE))

/*
 * Gets the octets ready that a section item asks for, its partial applied. RK_NOTFOUND: the message
 * has no such part, or the part no such section (a header, but holds no message).
 */
RK_MUST_CHECK enum rk_status fetch_section_take(
    struct body *b, const struct fetch_item *item, struct body_piece *piece, struct rk_err *err);

/* The same for BINARY, decoded; *nul_out: a literal8 is needed. RK_UNSUPPORTED: the part has an
 * encoding that nobody knows ([UNKNOWN-CTE]). */
RK_MUST_CHECK enum rk_status fetch_binary_take(struct body *b, const struct fetch_item *item,
    struct body_piece *piece, bool *nul_out, struct rk_err *err);
RK_MUST_CHECK enum rk_status fetch_binary_size(
    struct body *b, const struct fetch_item *item, uint64_t *size_out, struct rk_err *err);

/* Response bytes of the messages of a batch: kept ones from the index, fresh ones from messages. */
struct fetch_structure {
	struct index_cached_msg *msgs; /* one for each record of the batch, in its memory */
	uint32_t *uids;
	size_t n;
	uint32_t uidvalidity;
	bool fresh; /* something was made that the index does not have */
};

/* Which of enum index_cached_kind an item is; only for FETCH_KINDS_STRUCTURE. */
enum index_cached_kind fetch_structure_kind(enum fetch_kind kind);

/* Reads what is kept of the n records. A failure only costs time: everything is made anew then. */
void fetch_structure_load(struct fetch_structure *fs, struct mailbox *mb,
    const struct index_records *records, struct rk_arena *mem);
/* Makes what is missing of `kinds` for the i-th record, whose message `b` becomes if need be. */
RK_MUST_CHECK enum rk_status fetch_structure_make(struct fetch_structure *fs, size_t i,
    uint32_t kinds, struct rk_arena *mem, struct body *b, struct rk_err *err);
/* Whether the i-th record lacks one of `kinds`. */
bool fetch_structure_lacks(const struct fetch_structure *fs, size_t i, uint32_t kinds);
/* Gives what was made to the index. */
void fetch_structure_keep(struct fetch_structure *fs, struct mailbox *mb);

#endif
