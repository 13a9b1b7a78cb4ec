#include "lib/wire/reader.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/bug.h"

/* Memory that an idle reader may keep for the next command. */
#define KEEP 4096

enum reader_state {
	STATE_LINE,    /* bytes of a line */
	STATE_LITERAL, /* `left` bytes of a literal */
	STATE_SKIP,    /* the rest of a refused line, up to its LF */
	STATE_DONE,    /* a whole command is held */
	STATE_FATAL,   /* the stream cannot be followed any more */
};

struct reader {
	struct reader_limits limits;
	enum reader_state state;
	struct buf bytes;
	size_t line_start; /* where the current line begins in bytes */
	size_t lines;      /* bytes of all lines so far */
	uint64_t left;     /* of the current literal */
	bool literal8;     /* it was announced with `~` */
	bool spilling;     /* it goes into the file */
	bool message;      /* the literal that was refused is one */
	struct spill spill;
	char tail[3]; /* the last bytes of a line that is skipped */
	struct buf tag;
};

struct reader *
reader_new(const struct reader_limits *limits)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		rk_out_of_memory(sizeof(*r));
	r->limits = *limits;
	r->spill = (struct spill)SPILL_INIT;
	return r;
}

void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	buf_wipe(&r->bytes);
	buf_clear(&r->tag);
	spill_clear(&r->spill);
	free(r);
}

void
reader_reset(struct reader *r)
{
	buf_wipe(&r->bytes); /* it may hold a password */
	buf_clear(&r->tag);
	spill_clear(&r->spill);
	r->state = STATE_LINE;
	r->line_start = 0;
	r->lines = 0;
	r->left = 0;
}

void
reader_next(struct reader *r)
{
	if (r->state == STATE_FATAL)
		return;
	if (r->bytes.cap > KEEP)
		buf_wipe(&r->bytes);
	else if (r->bytes.data != NULL)
		explicit_bzero(r->bytes.data, r->bytes.cap);
	buf_empty(&r->bytes);
	buf_empty(&r->tag);
	spill_clear(&r->spill);
	r->message = false;
	if (r->state == STATE_DONE)
		r->state = STATE_LINE;
	r->line_start = 0;
	r->lines = 0;
}

bool
reader_busy(const struct reader *r)
{
	return r->state != STATE_DONE && (r->bytes.len > 0 || r->state == STATE_SKIP);
}

bool
reader_fatal(const struct reader *r)
{
	return r->state == STATE_FATAL;
}

struct str
reader_command(const struct reader *r)
{
	return str_of(r->bytes.data, r->bytes.len);
}

const struct spill *
reader_spill(const struct reader *r)
{
	return &r->spill;
}

bool
reader_message(const struct reader *r)
{
	return r->message;
}

/* tag = 1*<any ASTRING-CHAR except "+"> (RFC 9051 section 9) */
static bool
is_tag_char(unsigned char c)
{
	return c > 0x20 && c < 0x7f && strchr("(){%*\"\\+", c) == NULL;
}

static void
tag_find(struct reader *r)
{
	size_t n = 0;

	while (n < r->bytes.len && n < 128 && is_tag_char((unsigned char)r->bytes.data[n]))
		n++;
	buf_empty(&r->tag);
	if (n > 0 && n < r->bytes.len && r->bytes.data[n] == ' ')
		buf_add(&r->tag, r->bytes.data, n);
}

struct str
reader_tag(const struct reader *r)
{
	return r->tag.len > 0 ? str_of(r->tag.data, r->tag.len) : STR_LIT("*");
}

/*
 * A refused line may announce a non-synchronising literal all the same: its bytes are on the way
 * and would be read as commands. Nobody knows their number if the line was too long, so the stream
 * ends there. `n` bytes of the end of a line, without its LF.
 */
static bool
literal_follows(const char *end, size_t n)
{
	if (n > 0 && end[n - 1] == '\r')
		n--;
	return n >= 2 && end[n - 2] == '+' && end[n - 1] == '}';
}

static void
tail_note(struct reader *r, const char *p, size_t n)
{
	for (size_t i = n < sizeof(r->tail) ? 0 : n - sizeof(r->tail); i < n; i++) {
		memmove(r->tail, r->tail + 1, sizeof(r->tail) - 1);
		r->tail[sizeof(r->tail) - 1] = p[i];
	}
}

/* Told once per command; the rest of its line is skipped (`at_end`: there is none). */
static enum reader_step
refuse(struct reader *r, enum reader_step step, bool at_end, bool fatal)
{
	tag_find(r);
	buf_wipe(&r->bytes);
	spill_clear(&r->spill);
	r->line_start = 0;
	r->lines = 0;
	r->state = fatal ? STATE_FATAL : at_end ? STATE_LINE : STATE_SKIP;
	return step;
}

struct literal {
	uint64_t size;
	bool sync;
	bool literal8;
	size_t header; /* where in the line it begins */
};

enum literal_found {
	LITERAL_NONE,
	LITERAL_OK,
	LITERAL_BAD,
};

/*
 * `{n}`, `{n+}`, `~{n}` at the end of a line without its CRLF (RFC 9051 section 4.3). A brace at
 * the end that is no literal is left to the grammar, which has no use for it: LITERAL_BAD only if
 * it starts like one.
 */
static enum literal_found
literal_find(const char *line, size_t n, struct literal *out)
{
	size_t end, i;
	uint64_t size = 0;

	if (n < 3 || line[n - 1] != '}')
		return LITERAL_NONE;
	end = n - 1;
	out->sync = line[end - 1] != '+';
	if (!out->sync)
		end--;
	for (i = end; i > 0 && line[i - 1] >= '0' && line[i - 1] <= '9'; i--)
		continue;
	if (i == 0 || line[i - 1] != '{')
		return LITERAL_NONE;
	if (i == end || !str_u64(str_of(line + i, end - i), INT64_MAX, &size))
		return LITERAL_BAD;
	out->size = size;
	out->literal8 = i >= 2 && line[i - 2] == '~';
	out->header = i - 1 - out->literal8;
	return LITERAL_OK;
}

/* Whether the literal whose header ends the bytes so far is a message of APPEND. The one right
 * behind the verb is the mailbox's name. */
static bool
is_message(const struct reader *r, size_t header)
{
	struct str line = str_of(r->bytes.data, r->bytes.len), verb;

	if (r->limits.message == 0 || r->tag.len == 0 || line.n < r->tag.len + 8)
		return false;
	verb = str_of(line.p + r->tag.len + 1, 7);
	return str_iis(verb, "APPEND ") && header > r->tag.len + 8;
}

static enum reader_step
literal_take(struct reader *r, const struct literal *lit, bool spilling)
{
	r->left = lit->size;
	r->literal8 = lit->literal8;
	r->spilling = spilling;
	r->line_start = r->bytes.len;
	r->state = lit->size > 0 ? STATE_LITERAL : STATE_LINE;
	return lit->sync ? READER_CONTINUE : READER_MORE;
}

static enum reader_step
message_begin(struct reader *r, const struct literal *lit)
{
	uint64_t held = r->spill.end;
	struct rk_err err;

	r->message = true;
	if (lit->size > r->limits.message || held > r->limits.message - lit->size ||
	    (!lit->sync && lit->size > r->limits.nonsync))
		return refuse(r, READER_TOO_BIG, true, !lit->sync);
	if (spill_begin(&r->spill, r->bytes.len, &err) != RK_OK)
		return refuse(r, READER_TOO_BIG, true, !lit->sync);
	r->message = false;
	return literal_take(r, lit, true);
}

static enum reader_step
literal_begin(struct reader *r, const struct literal *lit)
{
	bool too_big =
	    lit->size > r->limits.literal ||
	    lit->size > r->limits.command -
			    (r->bytes.len < r->limits.command ? r->bytes.len : r->limits.command);

	if (!lit->sync && lit->size > r->limits.nonsync)
		too_big = true;
	if (too_big)
		return refuse(r, READER_TOO_BIG, true, !lit->sync);
	return literal_take(r, lit, false);
}

/* The line that ends with the LF just added. */
static enum reader_step
line_end(struct reader *r)
{
	const char *line = r->bytes.data + r->line_start;
	size_t n = r->bytes.len - r->line_start - 1;
	struct literal lit;

	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (memchr(line, '\r', n) != NULL || memchr(line, '\0', n) != NULL)
		return refuse(r, READER_BAD, true, literal_follows(line, n));
	switch (literal_find(line, n, &lit)) {
	case LITERAL_BAD:
		return refuse(r, READER_BAD, true, literal_follows(line, n));
	case LITERAL_OK:
		tag_find(r);
		return is_message(r, r->line_start + lit.header) ? message_begin(r, &lit)
		                                                 : literal_begin(r, &lit);
	case LITERAL_NONE:
		break;
	}
	tag_find(r);
	r->state = STATE_DONE;
	return READER_COMMAND;
}

/* The byte at which a line is too long is the same however the bytes are cut. */
static enum reader_step
line_refuse(struct reader *r, const char *p, size_t n)
{
	bool at_end = p[n - 1] == '\n';

	if (r->bytes.len > r->line_start)
		tail_note(r, r->bytes.data + r->line_start, r->bytes.len - r->line_start);
	tail_note(r, p, at_end ? n - 1 : n);
	/* Only what fits is kept, so that the tag can be answered. */
	buf_add(&r->bytes, p, n < 256 ? n : 256);
	return refuse(
	    r, READER_TOO_BIG, at_end, at_end && literal_follows(r->tail, sizeof(r->tail)));
}

static enum reader_step
feed_line(struct reader *r, const char *p, size_t n, size_t *used)
{
	const char *lf = memchr(p, '\n', n);
	size_t take = lf == NULL ? n : (size_t)(lf - p) + 1;
	size_t room = r->limits.line - r->lines;

	if (room > r->limits.command - r->bytes.len)
		room = r->limits.command - r->bytes.len;
	*used = take > room ? room + 1 : take;
	if (take > room)
		return line_refuse(r, p, *used);
	buf_add(&r->bytes, p, take);
	r->lines += take;
	return lf == NULL ? READER_MORE : line_end(r);
}

static enum reader_step
feed_literal(struct reader *r, const char *p, size_t n, size_t *used)
{
	size_t take = n < r->left ? n : (size_t)r->left;
	bool nul = memchr(p, '\0', take) != NULL;
	struct rk_err err;

	*used = take;
	r->left -= take;
	if (nul && !(r->literal8 && (r->limits.nul_ok || r->spilling))) {
		/* The bytes that are still announced would be read as commands. */
		return refuse(r, READER_BAD, false, true);
	}
	if (!r->spilling)
		buf_add(&r->bytes, p, take);
	else if (spill_add(&r->spill, p, take, &err) != RK_OK)
		return refuse(r, READER_TOO_BIG, false, true);
	if (r->left == 0) {
		r->state = STATE_LINE;
		r->line_start = r->bytes.len;
	}
	return READER_MORE;
}

static enum reader_step
feed_skip(struct reader *r, const char *p, size_t n, size_t *used)
{
	const char *lf = memchr(p, '\n', n);

	*used = lf == NULL ? n : (size_t)(lf - p) + 1;
	tail_note(r, p, lf == NULL ? n : *used - 1);
	if (lf == NULL)
		return READER_MORE;
	r->state = STATE_LINE;
	if (!literal_follows(r->tail, sizeof(r->tail)))
		return READER_MORE;
	r->state = STATE_FATAL;
	return READER_BAD;
}

enum reader_step
reader_feed(struct reader *r, const void *bytes, size_t n, size_t *used_out)
{
	const char *p = bytes;
	enum reader_step step = READER_MORE;
	size_t used = 0;

	while (used < n && step == READER_MORE) {
		size_t part = 0;

		switch (r->state) {
		case STATE_LINE:
			step = feed_line(r, p + used, n - used, &part);
			break;
		case STATE_LITERAL:
			step = feed_literal(r, p + used, n - used, &part);
			break;
		case STATE_SKIP:
			step = feed_skip(r, p + used, n - used, &part);
			break;
		case STATE_DONE:
			rk_bug("reader: fed with a command not taken");
		case STATE_FATAL:
			*used_out = n;
			return READER_BAD;
		}
		used += part;
	}
	*used_out = used;
	return step;
}
