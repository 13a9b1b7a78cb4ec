/* Keys that the index answers, then those that a header does. */
#include <string.h>
#include <strings.h>

#include "lib/mime/date.h"
#include "lib/mime/words.h"
#include "storage/search/search_impl.h"

#define DAY 86400

bool
text_has(struct str folded, struct str text)
{
	return text.n == 0 || (folded.n >= text.n && memmem(folded.p, folded.n, text.p, text.n));
}

/* --- the index --- */

static int64_t
day_of(int64_t seconds)
{
	return seconds >= 0 ? seconds / DAY : -((-seconds + DAY - 1) / DAY);
}

static bool
has_keyword(const struct index_record *record, const struct index_info *info, struct str keyword)
{
	for (uint32_t i = 0; i < info->nkeywords; i++) {
		if (info->keywords[i] != NULL && str_iis(keyword, info->keywords[i]))
			return (record->keywords.bits[i / 64] >> i % 64 & 1) != 0;
	}
	return false;
}

static enum search_answer
answer(bool yes)
{
	return yes ? SEARCH_ANSWER_YES : SEARCH_ANSWER_NO;
}

static enum search_answer
record_answer(const struct search *s, const struct node *n, const struct index_record *r,
    const struct index_info *info)
{
	const struct search_key *key = n->key;

	switch (key->kind) {
	case SEARCH_ALL:
		return SEARCH_ANSWER_YES;
	case SEARCH_FLAG:
		return answer((r->flags & key->flags) == key->flags);
	case SEARCH_KEYWORD:
		return answer(has_keyword(r, info, key->text));
	case SEARCH_RECENT:
	case SEARCH_SEQUENCE:
	case SEARCH_UID:
	case SEARCH_SAVED:
		return answer(uidset_has(&n->set, r->uid));
	case SEARCH_BEFORE:
		return answer(day_of(r->internal_date) < key->day);
	case SEARCH_ON:
		return answer(day_of(r->internal_date) == key->day);
	case SEARCH_SINCE:
		return answer(day_of(r->internal_date) >= key->day);
	case SEARCH_LARGER:
		return answer(r->size != RK_SIZE_UNKNOWN && r->size > key->number);
	case SEARCH_SMALLER:
		return answer(r->size < key->number);
	case SEARCH_OLDER:
		return answer(r->internal_date <= s->now - (int64_t)key->number);
	case SEARCH_YOUNGER:
		return answer(r->internal_date >= s->now - (int64_t)key->number);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return n->text.n == 0 ? SEARCH_ANSWER_YES : SEARCH_ANSWER_OPEN;
	default:
		return SEARCH_ANSWER_OPEN;
	}
}

enum search_answer
search_record(struct search *s, const struct index_record *record, const struct index_info *info)
{
	s->reading.part = NULL;
	for (size_t i = 0; i < s->n; i++)
		s->nodes[i].value = record_answer(s, &s->nodes[i], record, info);
	return search_value(s);
}

/* --- the header --- */

/* A field with its folded lines; false at the end of the header. */
static bool
field_next(struct str *rest, struct str *name, struct str *value)
{
	const char *p = rest->p, *end = rest->p + rest->n, *colon;
	size_t n;

	do {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		p = lf == NULL ? end : lf + 1;
	} while (p < end && (*p == ' ' || *p == '\t'));
	n = (size_t)(p - rest->p);
	if (n == 0)
		return false;
	colon = memchr(rest->p, ':', n);
	*name = str_of(rest->p, colon == NULL ? 0 : (size_t)(colon - rest->p));
	*value = colon == NULL ? str_of(rest->p, n) : str_of(colon + 1, n - name->n - 1);
	while (name->n > 0 && (name->p[name->n - 1] == ' ' || name->p[name->n - 1] == '\t'))
		name->n--;
	*rest = str_of(p, rest->n - n);
	return true;
}

static bool
sent_matches(const struct search_key *key, struct str value, struct buf *line)
{
	struct mime_date date;

	buf_empty(line);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] != '\r' && value.p[i] != '\n')
			buf_addc(line, value.p[i]);
	}
	if (!mime_date_parse(str_of(line->data, line->len), &date))
		return false;
	switch (key->kind) {
	case SEARCH_SENTBEFORE:
		return date.day < key->day;
	case SEARCH_SENTON:
		return date.day == key->day;
	default:
		return date.day >= key->day;
	}
}

static bool
is_sent(const struct search_key *key)
{
	return key->kind == SEARCH_SENTBEFORE || key->kind == SEARCH_SENTON ||
	       key->kind == SEARCH_SENTSINCE;
}

/* The field's value, decoded and folded, in s->folded; TEXT sees its name before it. */
static void
field_fold(struct search *s, struct str name, struct str value)
{
	buf_empty(&s->line);
	buf_empty(&s->folded);
	buf_add(&s->line, name.p, name.n);
	buf_addc(&s->line, ':');
	words_decode(value, &s->line);
	text_fold(str_of(s->line.data, s->line.len), &s->folded);
}

static void
field_match(struct search *s, struct str name, struct str value)
{
	bool folded = false;

	for (size_t i = 0; i < s->n; i++) {
		struct node *n = &s->nodes[i];
		const struct search_key *key = n->key;
		struct str text;

		if (n->value != SEARCH_ANSWER_OPEN)
			continue;
		if (is_sent(key) && str_iis(name, "Date")) {
			n->value = answer(sent_matches(key, value, &s->line));
			continue;
		}
		if (key->kind != SEARCH_TEXT &&
		    (key->kind != SEARCH_HEADER || !str_ieq(name, key->name)))
			continue;
		if (!folded)
			field_fold(s, name, value);
		folded = true;
		text = str_of(s->folded.data, s->folded.len);
		if (key->kind == SEARCH_HEADER) {
			const char *colon = memchr(text.p, ':', text.n);

			text = str_of(colon + 1, text.n - (size_t)(colon + 1 - text.p));
		}
		if (text_has(text, n->text))
			n->value = SEARCH_ANSWER_YES;
	}
}

enum search_answer
search_header(struct search *s, struct str header)
{
	struct str name, value;

	while (field_next(&header, &name, &value))
		field_match(s, name, value);
	/* The one that is there is not what was asked for, or there is none. */
	search_settle(s, false);
	return search_value(s);
}
