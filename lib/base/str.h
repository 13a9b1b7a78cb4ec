/* Strings with a length, borrowed from whoever owns the bytes. They may hold NULs. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <rookery/host.h>

struct str {
	const char *p;
	size_t n;
};

/* clang-format off */
#define STR_LIT(s) ((struct str){ (s), sizeof(s) - 1 })
/* clang-format on */

/* Length by strlen; NULL gives the empty string. */
struct str str_from(const char *text);
struct str str_of(const void *bytes, size_t n);

bool str_eq(struct str a, struct str b);
/* Equal without regard to ASCII case. */
bool str_ieq(struct str a, struct str b);
bool str_is(struct str a, const char *text);
bool str_iis(struct str a, const char *text);
bool str_starts(struct str s, const char *prefix);
/* Constant time for equal lengths: for secrets. */
bool str_eq_secret(struct str a, struct str b);

/* NUL-terminated copy in the arena. */
char *str_dup(struct rk_arena *arena, struct str s);

/* Cuts the part before the first `sep` off *rest into *part; without one, all that is left.
 * False when nothing is left. */
bool str_split(struct str *rest, char sep, struct str *part);

/* Decimal digits only, no sign, no blanks, at most max; false otherwise. */
bool str_u64(struct str s, uint64_t max, uint64_t *out);
bool str_u32(struct str s, uint32_t *out);

#endif
