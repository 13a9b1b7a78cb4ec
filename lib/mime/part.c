/*
 * One pass over the octets, line by line. What is open at a moment is the path from the message to
 * the part that the position is in; a line that is the boundary of one of the multiparts on that
 * path ends all parts below it (RFC 2046 section 5.1.2: also one that a sender forgot to close).
 *
 * Nothing is kept of a line but its beginning, which is where boundaries stand, and the fields that
 * are asked for later; so memory follows the number of parts, and both it and the number of open
 * levels are bounded. The boundary with the longest match wins, as one may begin like another.
 */
#include "lib/mime/part.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/bug.h"
#include "lib/mime/value.h"

#define BLOCK ((size_t)64 * 1024)
/* A boundary has at most 70 characters (RFC 2046 section 5.1.1); some programs forget that. */
#define BOUNDARY_MAX ((size_t)1000)
#define FIELD_MAX ((size_t)64 * 1024)
/* All fields kept of one message. */
#define FIELDS_TOTAL ((size_t)4 * 1024 * 1024)

struct level {
	struct mime_part *part;
	struct str boundary;    /* of a multipart; empty: none */
	struct mime_part *last; /* its newest child */
	uint64_t lines;         /* of the message, where the part's body began */
	bool ended;             /* its closing delimiter was seen */
};

struct parser {
	struct rk_arena *mem;
	struct level levels[MIME_DEPTH_MAX];
	size_t nlevels;
	size_t parts;
	bool in_header;
	uint64_t pos;        /* of the next octet */
	uint64_t line_start; /* of the line that is being read */
	uint64_t lines;      /* LFs so far */
	unsigned eol;        /* octets of the line end before line_start */
	char last;           /* the octet before pos */
	struct buf head;     /* the beginning of the line */
	struct buf field;    /* the header field so far, unfolded */
	size_t kept;         /* of FIELDS_TOTAL */
};

static struct level *
top(struct parser *p)
{
	return &p->levels[p->nlevels - 1];
}

/* --- parts begin and end --- */

static void
part_begin(struct parser *p, uint64_t at, bool digest)
{
	struct mime_part *part = rk_arena_alloc(p->mem, sizeof(*part));

	part->header = part->body = at;
	part->digest = digest;
	if (p->nlevels > 0) {
		part->parent = top(p)->part;
		if (top(p)->last != NULL)
			top(p)->last->next = part;
		else
			top(p)->part->child = part;
		top(p)->last = part;
	}
	p->levels[p->nlevels++] = (struct level){ .part = part };
	p->parts++;
	p->in_header = true;
	buf_empty(&p->field);
}

/* The part's body ends at `end`; `lines` LFs of the message stand before that. */
static void
part_end(struct parser *p, uint64_t end, uint64_t lines)
{
	struct level *l = top(p);

	l->part->body_size = end > l->part->body ? end - l->part->body : 0;
	l->part->body_lines =
	    end > l->part->body && lines > l->lines ? (uint32_t)(lines - l->lines) : 0;
	p->nlevels--;
}

static bool
may_open(const struct parser *p)
{
	return p->nlevels < MIME_DEPTH_MAX && p->parts < MIME_PARTS_MAX;
}

/* The header ends at `end`, and the body begins there. */
static void
header_end(struct parser *p, uint64_t end)
{
	struct level *l = top(p);
	struct mime_part *part = l->part;
	bool opens = may_open(p);

	part->header_size = end - part->header;
	part->body = end;
	l->lines = p->lines;
	p->in_header = false;
	mime_value_finish(part, p->mem, &l->boundary);
	if (!opens) {
		part->kind = MIME_LEAF;
		l->boundary = str_of(NULL, 0);
	}
	if (part->kind == MIME_MESSAGE)
		part_begin(p, end, false);
}

/* --- boundaries --- */

/* Which level's boundary the line is, p->nlevels: none. *closing_out: with "--" behind it. */
static size_t
boundary_find(const struct parser *p, bool *closing_out)
{
	struct str line = str_of(p->head.data, p->head.len);
	size_t found = p->nlevels, longest = 0;

	if (line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
		return found;
	for (size_t i = 0; i < p->nlevels; i++) {
		struct str b = p->levels[i].boundary;

		if (b.n == 0 || b.n < longest || b.n > line.n - 2 || p->levels[i].ended ||
		    memcmp(line.p + 2, b.p, b.n) != 0)
			continue;
		found = i;
		longest = b.n;
	}
	*closing_out = found < p->nlevels && line.n >= longest + 4 &&
	               memcmp(line.p + 2 + longest, "--", 2) == 0;
	return found;
}

/* The line that ends at p->pos is the boundary of `level`. */
static void
boundary_take(struct parser *p, size_t level, bool closing)
{
	uint64_t end = p->line_start - p->eol, lines = p->lines - 1;

	/* The line itself counted one LF (unless it has none), the one before it belongs to it. */
	if (p->last != '\n')
		lines++;
	if (p->eol > 0 && lines > 0)
		lines--;
	/* Twice if what is cut off holds a message. */
	while (p->in_header) {
		uint64_t start = top(p)->part->header;

		header_end(p, end > start ? end : start);
	}
	/* An empty line that ended a header was its own, also right before a delimiter. */
	if (end < top(p)->part->body)
		end = top(p)->part->body;
	while (p->nlevels > level + 1)
		part_end(p, end, lines);
	if (closing)
		p->levels[level].ended = true;
	else
		part_begin(p, p->pos, str_iis(top(p)->part->subtype, "digest"));
}

/* --- lines --- */

static void
field_done(struct parser *p)
{
	struct str field = str_of(p->field.data, p->field.len);

	if (field.n > 0 && p->kept < FIELDS_TOTAL)
		p->kept += mime_value_field(top(p)->part, field, p->mem);
	buf_empty(&p->field);
}

static void
header_line(struct parser *p, struct str line)
{
	if (line.n == 0) {
		field_done(p);
		header_end(p, p->pos);
		return;
	}
	if (line.p[0] != ' ' && line.p[0] != '\t')
		field_done(p);
	if (p->line_start - top(p)->part->header > MIME_HEADER_MAX)
		return;
	if (p->field.len + line.n <= FIELD_MAX)
		buf_add(&p->field, line.p, line.n);
}

/* A whole line, or the rest of the message, ends at p->pos. */
static void
line_end(struct parser *p)
{
	struct str line = str_of(p->head.data, p->head.len);
	unsigned eol = 0;
	bool closing = false;
	size_t level;

	if (line.n > 0 && line.p[line.n - 1] == '\n') {
		line.n--;
		eol = 1;
		if (line.n > 0 && line.p[line.n - 1] == '\r') {
			line.n--;
			eol = 2;
		}
	}
	level = boundary_find(p, &closing);
	/* Beyond the limit of parts a delimiter is text of the last one. */
	if (level < p->nlevels && (closing || p->parts < MIME_PARTS_MAX)) {
		if (p->in_header)
			field_done(p);
		boundary_take(p, level, closing);
	} else if (p->in_header) {
		header_line(p, line);
	}
	p->eol = eol;
	p->line_start = p->pos;
	buf_empty(&p->head);
}

/* A long line in a header field goes on beyond what is kept of it: it's cut there. */
static void
bytes_take(struct parser *p, const char *bytes, size_t n)
{
	while (n > 0) {
		const char *lf = memchr(bytes, '\n', n);
		size_t take = lf == NULL ? n : (size_t)(lf - bytes) + 1, keep = take;
		size_t max = p->in_header ? FIELD_MAX : BOUNDARY_MAX;
		size_t room = p->head.len < max ? max - p->head.len : 0;
		char cr = take > 1 ? bytes[take - 2] : p->last;

		if (keep > room)
			keep = room;
		buf_add(&p->head, bytes, keep);
		p->pos += take;
		p->last = bytes[take - 1];
		if (lf != NULL) {
			p->lines++;
			/* A cut line keeps its end, so that its width is known. */
			if (keep < take) {
				p->head.len -= p->head.len >= 2 ? 2 : p->head.len;
				if (cr == '\r')
					buf_addc(&p->head, '\r');
				buf_addc(&p->head, '\n');
			}
			line_end(p);
		}
		bytes += take;
		n -= take;
	}
}

enum rk_status
mime_parse(struct stream *message, struct rk_arena *mem, struct mime_part **out, struct rk_err *err)
{
	struct parser *p = calloc(1, sizeof(*p));
	char *block = malloc(BLOCK);
	enum rk_status status;
	size_t got = 0;

	if (p == NULL || block == NULL)
		rk_out_of_memory(BLOCK);
	p->mem = mem;
	part_begin(p, 0, false);
	*out = p->levels[0].part;
	while ((status = stream_read(message, block, BLOCK, &got, err)) == RK_OK && got > 0)
		bytes_take(p, block, got);
	if (p->head.len > 0)
		line_end(p);
	while (p->in_header) {
		field_done(p);
		header_end(p, p->pos);
	}
	while (p->nlevels > 0)
		part_end(p, p->pos, p->lines);
	buf_clear(&p->head);
	buf_clear(&p->field);
	free(block);
	free(p);
	return status;
}

/* --- looking --- */

const struct mime_part *
mime_next(const struct mime_part *part)
{
	if (part->child != NULL)
		return part->child;
	while (part->next == NULL) {
		if (part->parent == NULL)
			return NULL;
		part = part->parent;
	}
	return part->next;
}

static const struct mime_part *
child_at(const struct mime_part *part, uint32_t number)
{
	const struct mime_part *child = part->child;

	while (child != NULL && number > 1) {
		child = child->next;
		number--;
	}
	return number == 0 ? NULL : child;
}

const struct mime_part *
mime_find(const struct mime_part *message, const uint32_t *path, size_t n)
{
	const struct mime_part *part = message;

	for (size_t i = 0; i < n && part != NULL; i++) {
		/* Numbers below a message/rfc822 count the parts of the message in it; part 1 of
		 * a message that is no multipart is the message's own body. */
		if (i > 0 && part->kind == MIME_MESSAGE)
			part = part->child;
		else if (i > 0 && part->kind == MIME_LEAF)
			return NULL;
		if (part->kind == MIME_MULTIPART)
			part = child_at(part, path[i]);
		else if (path[i] != 1)
			return NULL;
	}
	return part;
}
