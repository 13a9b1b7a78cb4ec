#include "ctl/json.h"

#include "lib/base/utf8.h"

void
json_string(struct buf *out, struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0;

	buf_addc(out, '"');
	while (i < s.n) {
		size_t seq = utf8_sequence(p + i, s.n - i);

		if (seq == 0) {
			buf_adds(out, "\\ufffd");
			i++;
		} else if (p[i] == '"' || p[i] == '\\') {
			buf_addc(out, '\\');
			buf_addc(out, (char)p[i++]);
		} else if (p[i] < 0x20 || p[i] == 0x7f) {
			buf_addf(out, "\\u%04x", p[i++]);
		} else {
			buf_add(out, p + i, seq);
			i += seq;
		}
	}
	buf_addc(out, '"');
}

void
json_key(struct buf *out, const char *key, bool first)
{
	if (!first)
		buf_addc(out, ',');
	json_string(out, str_from(key));
	buf_addc(out, ':');
}

void
json_number(struct buf *out, struct str text)
{
	uint64_t value;

	/* Printed anew: "007" is no number in JSON. */
	if (str_u64(text, UINT64_MAX, &value))
		buf_addf(out, "%llu", (unsigned long long)value);
	else
		json_string(out, text);
}
