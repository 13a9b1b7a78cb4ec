#include "storage/account/account.h"

#include <string.h>

#include "lib/base/utf8.h"

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f)
			return true;
		/* U+0080 to U+009F */
		if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static const char *
part_wrong(struct str part)
{
	if (part.n == 0)
		return "an empty part";
	if (part.n > RK_NAME_PART_MAX)
		return "a part that is too long";
	if (str_is(part, ".") || str_is(part, ".."))
		return "a part of dots";
	return NULL;
}

static const char *
name_wrong(struct str given)
{
	size_t start = 0, depth = 0;

	if (given.n == 0 || given.n > RK_NAME_MAX)
		return "a bad length";
	if (!utf8_valid(given.p, given.n))
		return "bytes that are not UTF-8";
	if (has_control(given))
		return "a control character";
	for (size_t i = 0; i <= given.n; i++) {
		const char *wrong;

		if (i < given.n && given.p[i] != '/')
			continue;
		wrong = part_wrong(str_of(given.p + start, i - start));
		if (wrong != NULL)
			return wrong;
		if (++depth > RK_NAME_DEPTH_MAX)
			return "too many levels";
		start = i + 1;
	}
	return NULL;
}

enum rk_status
account_name(struct str given, struct rk_arena *mem, const char **name_out, struct rk_err *err)
{
	const char *wrong = name_wrong(given);
	char *name;

	if (wrong != NULL)
		return rk_fail_plain(err, RK_INVALID, "the mailbox name has %s", wrong);
	name = str_dup(mem, given);
	/* INBOX in any case of its letters, also above others. */
	if (given.n >= 5 && str_iis(str_of(name, 5), "INBOX") && (given.n == 5 || name[5] == '/'))
		memcpy(name, "INBOX", 5);
	*name_out = name;
	return RK_OK;
}
