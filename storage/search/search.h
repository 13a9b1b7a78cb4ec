/*
 * Whether a message matches a search program (query.h). Keys that the index answers come first; a
 * message's header is asked for only if they leave it open, its body only if the header does too.
 */
#ifndef SEARCH_SEARCH_H
#define SEARCH_SEARCH_H

#include "lib/base/stream.h"
#include "lib/mime/charset.h"
#include "lib/mime/part.h"
#include "storage/mailbox/view.h"
#include "storage/search/query.h"

struct search;

/* What keys are about besides the message; borrowed until search_new returns. */
struct search_scope {
	const struct view *view;     /* of sequence numbers, and of `*` */
	const struct uidset *recent; /* \Recent */
	const struct uidset *saved;  /* `$` */
	int64_t now;                 /* seconds since 1970 */
	struct charset *charset;     /* of the program's texts */
};

enum search_answer {
	SEARCH_ANSWER_NO,
	SEARCH_ANSWER_YES,
	SEARCH_ANSWER_OPEN, /* more of the message is needed */
};

/* Ready to be asked; in `mem`, whose end frees it. The program is borrowed as long. */
struct search *search_new(
    const struct search_key *program, const struct search_scope *scope, struct rk_arena *mem);

/* Whether it asks for sizes: then records must have theirs. */
bool search_needs_size(const struct search *s);

/* The three are called in this order for each message, as long as the answer is open. `info` has
 * the names of keywords. */
enum search_answer search_record(
    struct search *s, const struct index_record *record, const struct index_info *info);
/* `header`: octets with the empty line. Open: the body is needed. */
enum search_answer search_header(struct search *s, struct str header);
/* `message` stands at the message's first octet and is read as far as needed. Open: after a bounded
 * amount of work; to be called again with the same arguments, no other text decoded meanwhile. */
RK_MUST_CHECK enum rk_status search_body(struct search *s, const struct mime_part *parts,
    struct stream *message, enum search_answer *out, struct rk_err *err);

#endif
