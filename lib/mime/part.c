/*
 * One pass, line by line. Of a line its first LINE_HEAD bytes are looked at for a boundary; of a
 * header only the two fields that say how to go on are kept. The open multiparts stand on a stack
 * of at most MIME_DEPTH_MAX, so that a line that begins with "--" costs at most that many compares.
 *
 * A boundary of an outer multipart ends all that is open inside it (RFC 2046 section 5.1.2). What
 * stands behind a closing boundary belongs to the multipart's body and is no part. As in Dovecot a
 * line is a boundary when it only begins like one; of several the longest counts, then the
 * innermost.
 */
#include "lib/mime/part.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/bug.h"
#include "lib/mime/token.h"

#define BLOCK ((size_t)64 * 1024)
#define LINE_HEAD 1024
#define FIELD_MAX ((size_t)1024 * 1024)
#define STRING_MAX 1024

struct level {
	struct mime_part *part;
	struct str boundary;
};

enum field {
	FIELD_OTHER,
	FIELD_TYPE,
	FIELD_ENCODING,
};

struct parser {
	struct rk_arena *mem;
	struct mime_part *part; /* the innermost open one */
	unsigned depth;         /* of it; the message itself is at 0 */
	size_t nparts;
	struct level open[MIME_DEPTH_MAX + 1]; /* multiparts whose boundary may still come */
	size_t nopen;
	bool in_header;

	/* the line that is being read */
	uint64_t line;  /* where it begins */
	uint64_t lines; /* LFs before it */
	unsigned eol;   /* octets of the line end before it */
	char head[LINE_HEAD];
	size_t nhead;
	uint64_t length; /* so far */
	char last;       /* its last byte so far */

	/* the header that is being read */
	enum field field;
	struct buf type, encoding;
	bool has_type, has_encoding;
};

/* What a part needs only while it is open is kept beside it. */
struct open_part {
	struct mime_part part;
	uint64_t lines; /* LFs before its body */
	struct mime_part *last_child;
};

static struct open_part *
opened(struct mime_part *part)
{
	return (struct open_part *)part; /* part is its first member */
}

static void
part_begin(struct parser *p, struct mime_part *parent, uint64_t at)
{
	struct open_part *o = rk_arena_alloc(p->mem, sizeof(*o));

	o->part.parent = parent;
	o->part.header = at;
	if (parent != NULL) {
		if (opened(parent)->last_child != NULL)
			opened(parent)->last_child->next = &o->part;
		else
			parent->child = &o->part;
		opened(parent)->last_child = &o->part;
		o->part.digest =
		    parent->kind == MIME_MULTIPART && str_iis(parent->subtype, "digest");
		p->depth++;
	}
	p->nparts++;
	p->part = &o->part;
	p->in_header = true;
	p->field = FIELD_OTHER;
	p->has_type = p->has_encoding = false;
	buf_empty(&p->type);
	buf_empty(&p->encoding);
}

/* --- the header --- */

static void
type_set(struct mime_part *part, const char *type, const char *subtype)
{
	part->type = str_from(type);
	part->subtype = str_from(subtype);
}

static struct str
cut(struct str s)
{
	return str_of(s.p, s.n < STRING_MAX ? s.n : STRING_MAX);
}

static void
type_read(struct parser *p, struct mime_part *part)
{
	struct token_content c;

	if (!p->has_type || !token_content(str_of(p->type.data, p->type.len), true, p->mem, &c)) {
		if (part->digest && !p->has_type)
			type_set(part, "message", "rfc822");
		else
			type_set(part, "text", "plain");
		return;
	}
	part->type = cut(c.type);
	part->subtype = cut(c.subtype);
	part->params = c.params;
	part->nparams = c.nparams;
	for (size_t i = c.nparams; i > 0; i--) {
		if (str_iis(c.params[i - 1].name, "charset"))
			part->charset = c.params[i - 1].value;
	}
}

static enum mime_encoding
encoding_read(const struct parser *p)
{
	struct token t = { p->encoding.data, p->encoding.data + p->encoding.len };
	struct str word;

	if (!p->has_encoding || p->encoding.len == 0)
		return MIME_IDENTITY;
	token_cfws(&t, NULL);
	if (!token_word(&t, &word))
		return MIME_IDENTITY;
	if (str_iis(word, "7bit") || str_iis(word, "8bit") || str_iis(word, "binary"))
		return MIME_IDENTITY;
	if (str_iis(word, "quoted-printable"))
		return MIME_QP;
	return str_iis(word, "base64") ? MIME_BASE64 : MIME_UNKNOWN;
}

static struct str
boundary_of(const struct mime_part *part)
{
	for (size_t i = 0; i < part->nparams; i++) {
		if (str_iis(part->params[i].name, "boundary"))
			return part->params[i].value;
	}
	return STR_LIT("");
}

static bool
is_message(const struct mime_part *part)
{
	return str_iis(part->type, "message") &&
	       (str_iis(part->subtype, "rfc822") || str_iis(part->subtype, "global"));
}

/* The header ended; the body begins at `at`. */
static void
header_end(struct parser *p, uint64_t at, uint64_t lines)
{
	struct mime_part *part = p->part;
	bool room = p->depth + 1 < MIME_DEPTH_MAX && p->nparts < MIME_PARTS_MAX;
	struct str boundary;

	p->in_header = false;
	part->header_size = at - part->header;
	part->body = at;
	opened(part)->lines = lines;
	type_read(p, part);
	part->encoding = encoding_read(p);
	boundary = boundary_of(part);
	if (room && str_iis(part->type, "multipart") && boundary.n > 0 &&
	    boundary.n < LINE_HEAD - 4) {
		part->kind = MIME_MULTIPART;
		p->open[p->nopen++] = (struct level){ part, boundary };
	} else if (room && is_message(part)) {
		part->kind = MIME_MESSAGE;
		part_begin(p, part, at);
	}
}

static enum field
field_find(const struct parser *p)
{
	const char *colon = memchr(p->head, ':', p->nhead);
	size_t n = colon == NULL ? 0 : (size_t)(colon - p->head);

	while (n > 0 && (p->head[n - 1] == ' ' || p->head[n - 1] == '\t'))
		n--;
	if (str_iis(str_of(p->head, n), "Content-Type"))
		return FIELD_TYPE;
	if (str_iis(str_of(p->head, n), "Content-Transfer-Encoding"))
		return FIELD_ENCODING;
	return FIELD_OTHER;
}

/* The line's name is known: from here on its bytes are kept if they are wanted. Of a field that
 * comes twice the first counts. */
static void
field_begin(struct parser *p)
{
	bool *has;

	if (p->nhead > 0 && (p->head[0] == ' ' || p->head[0] == '\t'))
		return; /* goes on */
	p->field = field_find(p);
	if (p->field == FIELD_OTHER)
		return;
	has = p->field == FIELD_TYPE ? &p->has_type : &p->has_encoding;
	if (*has)
		p->field = FIELD_OTHER;
	*has = true;
}

static void
field_add(struct parser *p, const char *bytes, size_t n)
{
	struct buf *b = p->field == FIELD_TYPE ? &p->type : &p->encoding;
	size_t room;

	if (p->field == FIELD_OTHER)
		return;
	room = FIELD_MAX - b->len;
	buf_add(b, bytes, n < room ? n : room);
}

/* The head of a header line is complete. */
static void
field_head(struct parser *p)
{
	const char *from = p->head;
	const char *colon;

	if (p->line - p->part->header >= MIME_HEADER_MAX) {
		p->field = FIELD_OTHER;
		return;
	}
	field_begin(p);
	if (p->nhead > 0 && p->head[0] != ' ' && p->head[0] != '\t' && p->field != FIELD_OTHER) {
		colon = memchr(p->head, ':', p->nhead);
		from = colon + 1;
	}
	field_add(p, from, (size_t)(p->head + p->nhead - from));
}

/* --- the body --- */

/* Ends the innermost part; `end` and `lines` count without the line end before a boundary. */
static void
part_end(struct parser *p, uint64_t end, uint64_t lines)
{
	struct mime_part *part = p->part;
	uint64_t n;

	if (p->in_header) {
		uint64_t at = end > part->header ? end : part->header;

		p->depth = MIME_DEPTH_MAX; /* nothing opens any more */
		header_end(p, at, lines);
	}
	part->body_size = end > part->body ? end - part->body : 0;
	n = lines > opened(part)->lines ? lines - opened(part)->lines : 0;
	part->body_lines = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	p->part = part->parent;
}

static void
parts_end(struct parser *p, const struct mime_part *until, uint64_t end, uint64_t lines)
{
	unsigned depth = 0;

	while (p->part != until)
		part_end(p, end, lines);
	for (const struct mime_part *up = until; up != NULL && up->parent != NULL; up = up->parent)
		depth++;
	p->depth = depth;
}

/* The open multipart whose boundary this line is; nopen: none. */
static size_t
boundary_find(const struct parser *p, size_t nhead)
{
	size_t best = p->nopen;

	for (size_t i = p->nopen; i-- > 0;) {
		const struct str *b = &p->open[i].boundary;

		if (b->n > nhead - 2 || memcmp(b->p, p->head + 2, b->n) != 0)
			continue;
		if (best == p->nopen || p->open[best].boundary.n < b->n)
			best = i;
	}
	return best;
}

/* The line is complete (or as much of it as is looked at): a boundary? */
static bool
boundary_take(struct parser *p, uint64_t next_line)
{
	const struct mime_part *part;
	bool closing;
	uint64_t end;
	size_t i, n;

	if (p->nhead < 2 || p->head[0] != '-' || p->head[1] != '-')
		return false;
	i = boundary_find(p, p->nhead);
	if (i == p->nopen)
		return false;
	n = 2 + p->open[i].boundary.n;
	closing = p->nhead >= n + 2 && p->head[n] == '-' && p->head[n + 1] == '-';
	if (!closing && p->nparts >= MIME_PARTS_MAX)
		return false; /* the last part holds all the rest */
	part = p->open[i].part;
	end = p->line - p->eol;
	/* The header of a part that ends here keeps its own line end: it is no boundary's. */
	if (p->in_header) {
		p->depth = MIME_DEPTH_MAX;
		header_end(p, p->line, p->lines);
	}
	parts_end(p, part, end, p->lines - (p->eol > 0 ? 1 : 0));
	p->nopen = closing ? i : i + 1;
	if (!closing)
		part_begin(p, p->part, next_line);
	return true;
}

/* --- lines --- */

/* A line ended before `next`, with `eol` octets of line end (0: the message ended). */
static void
line_end(struct parser *p, uint64_t next, unsigned eol)
{
	uint64_t lines = p->lines + (eol > 0 ? 1 : 0);
	bool taken = boundary_take(p, next);

	if (!taken && p->in_header) {
		if (p->length == eol && eol > 0)
			header_end(p, next, lines);
		else if (p->nhead < LINE_HEAD)
			field_head(p);
	}
	p->line = next;
	p->lines = lines;
	p->eol = eol;
	p->nhead = 0;
	p->length = 0;
	p->last = '\0';
}

/* Some bytes of the current line, without an LF in their midst. */
static void
line_add(struct parser *p, const char *bytes, size_t n)
{
	size_t room = LINE_HEAD - p->nhead;
	size_t part = n < room ? n : room;

	if (n == 0)
		return;
	memcpy(p->head + p->nhead, bytes, part);
	p->nhead += part;
	if (p->in_header && room > 0 && p->nhead == LINE_HEAD)
		field_head(p);
	if (p->in_header && part < n)
		field_add(p, bytes + part, n - part);
	p->length += n;
	p->last = bytes[n - 1];
}

static void
block_parse(struct parser *p, const char *bytes, size_t n, uint64_t at)
{
	const char *from = bytes, *end = bytes + n;

	while (from < end) {
		const char *lf = memchr(from, '\n', (size_t)(end - from));
		size_t len = lf == NULL ? (size_t)(end - from) : (size_t)(lf - from);
		unsigned eol = 1;

		line_add(p, from, len);
		if (lf == NULL)
			return;
		if (p->length > 0 && p->last == '\r')
			eol = 2;
		p->length++;
		line_end(p, at + (uint64_t)(lf + 1 - bytes), eol);
		from = lf + 1;
	}
}

static struct parser *
parser_new(struct rk_arena *mem)
{
	struct parser *p = calloc(1, sizeof(*p));

	if (p == NULL)
		rk_out_of_memory(sizeof(*p));
	p->mem = mem;
	return p;
}

enum rk_status
mime_parse(struct stream *message, struct rk_arena *mem, struct mime_part **out, struct rk_err *err)
{
	struct parser *p = parser_new(mem);
	char *block = malloc(BLOCK);
	enum rk_status status;
	uint64_t size = 0;
	size_t got = 0;

	if (block == NULL)
		rk_out_of_memory(BLOCK);
	part_begin(p, NULL, 0);
	*out = p->part;
	for (;;) {
		status = stream_read(message, block, BLOCK, &got, err);
		if (status != RK_OK || got == 0)
			break;
		block_parse(p, block, got, size);
		size += got;
	}
	if (status == RK_OK) {
		if (p->length > 0)
			line_end(p, size, 0);
		if (p->in_header)
			header_end(p, size, p->lines);
		parts_end(p, NULL, size, p->lines);
	}
	buf_clear(&p->type);
	buf_clear(&p->encoding);
	free(block);
	free(p);
	return status;
}

/* --- finding --- */

static const struct mime_part *
child_find(const struct mime_part *part, uint32_t number)
{
	const struct mime_part *child = part->child;

	for (; child != NULL && number > 1; number--)
		child = child->next;
	return child;
}

const struct mime_part *
mime_find(const struct mime_part *message, const uint32_t *path, size_t n)
{
	const struct mime_part *at = message;
	bool numbered = false; /* `at` was reached by a number: it is a part, not a message */

	for (size_t i = 0; i < n && at != NULL; i++) {
		if (numbered && at->kind == MIME_MESSAGE) {
			at = at->child;
			numbered = false;
		}
		if (at->kind == MIME_MULTIPART)
			at = child_find(at, path[i]);
		else if (numbered || path[i] != 1)
			at = NULL;
		numbered = true;
	}
	return at;
}

const struct mime_part *
mime_next(const struct mime_part *part)
{
	if (part->child != NULL)
		return part->child;
	while (part != NULL && part->next == NULL)
		part = part->parent;
	return part == NULL ? NULL : part->next;
}
