/* Which messages, and what of them: the arguments of FETCH; part of command.h, which tells whose
 * memory this is. */
#ifndef PROTO_COMMAND_FETCH_H
#define PROTO_COMMAND_FETCH_H

#include "lib/wire/lexer.h"

/* The messages that a command is about: a sequence set, or `$` (RFC 9051 section 6.4.4.1). */
struct message_set {
	bool saved; /* `$` */
	struct sequence set;
};

enum section_text {
	SECTION_WHOLE, /* [] or the part's body [1.2] */
	SECTION_HEADER,
	SECTION_FIELDS,
	SECTION_FIELDS_NOT,
	SECTION_TEXT,
	SECTION_MIME, /* only behind a part number */
};

struct section {
	uint32_t *part; /* 1.2.3; nparts 0: the message itself */
	size_t nparts;
	enum section_text text;
	struct str *fields; /* of SECTION_FIELDS and _NOT, as sent */
	size_t nfields;
};

enum fetch_kind {
	FETCH_FLAGS,
	FETCH_UID,
	FETCH_INTERNALDATE,
	FETCH_SIZE, /* RFC822.SIZE */
	FETCH_ENVELOPE,
	FETCH_BODY, /* BODY: structure without extension data */
	FETCH_BODYSTRUCTURE,
	FETCH_RFC822,        /* rev1: as BODY[] under its own label */
	FETCH_RFC822_HEADER, /* rev1: as BODY.PEEK[HEADER] */
	FETCH_RFC822_TEXT,   /* rev1: as BODY[TEXT] */
	FETCH_SECTION,       /* BODY[...], BODY.PEEK[...] */
	FETCH_BINARY,        /* BINARY[...], BINARY.PEEK[...]: section.part only */
	FETCH_BINARY_SIZE,
};

struct fetch_item {
	enum fetch_kind kind;
	bool peek;    /* does not set \Seen */
	bool partial; /* <offset.length> was given */
	uint64_t offset;
	uint64_t length; /* at least 1; offset + length never overflows */
	struct section section;
};

struct cmd_fetch {
	struct message_set set;
	struct fetch_item *items; /* as sent, each plain item once; UID first for UID FETCH */
	size_t n;
	uint32_t kinds; /* 1u << enum fetch_kind of all items */
	bool sets_seen; /* an item is not a peek (RFC 9051 section 6.4.5) */
};

#endif
