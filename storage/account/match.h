/*
 * LIST patterns (RFC 9051 section 6.3.9): `*` stands for anything, `%` for anything without `/`.
 * All places that a pattern may have reached are kept as bits and moved on together, one byte of
 * the name after the other: no backtracking, and time in proportion to both lengths whatever the
 * pattern is (row V08).
 */
#ifndef ACCOUNT_MATCH_H
#define ACCOUNT_MATCH_H

#include "lib/base/str.h"

struct match;

/* The pattern is reference and pattern, one behind the other. Lives in `mem`. */
struct match *match_new(struct str reference, struct str pattern, struct rk_arena *mem);

/* Whether `name` matches. A first part INBOX matches in any case of its letters. */
bool match_name(const struct match *m, struct str name);

#endif
