/*
 * A command as data: what the grammar functions (parse.h) make of a run of bytes, and all that a
 * handler ever sees of it. Everything lives in the command's arena or in the bytes of the reader;
 * both stay until the command is answered.
 */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include "lib/wire/lexer.h"
#include "storage/search/query.h"

/* Bounds of hardening.md section 4; one more is PARSE_BAD. */
#define PARSE_RANGES_MAX 10000
#define PARSE_FIELDS_MAX 256
#define PARSE_PATTERNS_MAX 64
#define PARSE_FETCH_ITEMS_MAX 256
#define PARSE_PARTS_MAX 100 /* depth of a part number */
#define PARSE_ENABLE_MAX 64
#define PARSE_ID_MAX 30
#define PARSE_ID_KEY_MAX 30
#define PARSE_ID_VALUE_MAX 1024
#define PARSE_TAG_MAX 128
#define PARSE_FLAGS_MAX 300 /* flags and keywords of one list */
#define PARSE_APPEND_MAX 1000

struct cmd_words { /* ENABLE: capabilities as sent; compare without regard to case */
	struct str *words;
	size_t n;
};

struct cmd_id { /* ID: n 0 also for NIL and () */
	struct id_pair {
		struct str key;
		struct str value;
		bool nil; /* value NIL */
	} * pairs;
	size_t n;
};

struct cmd_mailbox { /* SELECT, EXAMINE, DELETE, SUBSCRIBE, UNSUBSCRIBE: UTF-8; account_name() makes
	                it canonical */
	struct str name;
};

/* Special uses of RFC 6154 (and RFC 8457) as bits; PARSE: an unknown one sets unknown_use. */
enum special_use {
	USE_ALL = 1u << 0,
	USE_ARCHIVE = 1u << 1,
	USE_DRAFTS = 1u << 2,
	USE_FLAGGED = 1u << 3,
	USE_JUNK = 1u << 4,
	USE_SENT = 1u << 5,
	USE_TRASH = 1u << 6,
	USE_IMPORTANT = 1u << 7,
};

struct cmd_create {
	struct str name; /* a `/` at the end is taken off: it says that children will come */
	uint32_t special_use;
	bool unknown_use; /* NO [USEATTR] */
};

struct cmd_rename {
	struct str from;
	struct str to;
};

/* Flags as a client names them. */
struct flag_words {
	uint32_t flags;    /* enum rk_flag bits */
	struct str *words; /* keywords, each once (ASCII case ignored) */
	size_t nwords;
};

struct cmd_append {
	struct str name;
	struct append_msg {
		struct flag_words flags;
		bool has_date;
		int64_t date;               /* seconds since 1970 */
		struct lex_literal literal; /* in the reader's file or its bytes; CRLF throughout */
	} * msgs;
	size_t n; /* at least 1; more is MULTIAPPEND (RFC 3502) */
};

/* The messages that a command is about: a sequence set, or `$` (RFC 9051 section 6.4.4.1). */
struct message_set {
	bool saved; /* `$` */
	struct sequence set;
};

enum store_mode {
	STORE_REPLACE,
	STORE_ADD,
	STORE_REMOVE,
};

struct cmd_store {
	struct message_set set;
	enum store_mode mode;
	bool silent;
	struct flag_words flags;
};

struct cmd_copy { /* COPY, MOVE */
	struct message_set set;
	struct str to;
};

struct cmd_expunge { /* UID EXPUNGE has a set */
	struct message_set set;
};

/* SEARCH's result options (RFC 9051 section 6.4.4). */
enum search_return {
	SEARCH_RET_MIN = 1u << 0,
	SEARCH_RET_MAX = 1u << 1,
	SEARCH_RET_ALL = 1u << 2,
	SEARCH_RET_COUNT = 1u << 3,
	SEARCH_RET_SAVE = 1u << 4,
};

struct cmd_search {
	bool extended;          /* RETURN was given: ESEARCH; "RETURN ()" is ALL */
	uint32_t ret;           /* enum search_return bits */
	struct str charset;     /* as sent; empty: none was given */
	struct search_key *key; /* the AND of the whole program */
};

enum status_item {
	STATUS_MESSAGES = 1u << 0,
	STATUS_UIDNEXT = 1u << 1,
	STATUS_UIDVALIDITY = 1u << 2,
	STATUS_UNSEEN = 1u << 3,
	STATUS_DELETED = 1u << 4,
	STATUS_SIZE = 1u << 5,
	STATUS_RECENT = 1u << 6, /* rev1 */
};

struct cmd_status {
	struct str name;
	uint32_t items; /* enum status_item bits; at least one */
};

enum list_select {
	LIST_SEL_SUBSCRIBED = 1u << 0,
	LIST_SEL_REMOTE = 1u << 1,
	LIST_SEL_RECURSIVEMATCH = 1u << 2,
	LIST_SEL_SPECIAL_USE = 1u << 3,
};

enum list_return {
	LIST_RET_SUBSCRIBED = 1u << 0,
	LIST_RET_CHILDREN = 1u << 1,
	LIST_RET_STATUS = 1u << 2,
	LIST_RET_SPECIAL_USE = 1u << 3,
};

struct cmd_list { /* LIST, LSUB */
	struct str reference;
	struct str *patterns; /* at least one */
	size_t npatterns;
	uint32_t select;       /* enum list_select bits */
	uint32_t ret;          /* enum list_return bits */
	uint32_t status_items; /* with LIST_RET_STATUS */
	bool extended; /* any form of RFC 5258: an empty pattern then asks for no delimiter */
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

struct cmd_login { /* secrets: they stand in the reader's bytes and the arena */
	struct str user;
	struct str password;
};

struct cmd_authenticate {
	struct str mechanism;
	bool has_initial;
	struct str initial; /* base64 as sent; empty for "=" */
};

struct command {
	struct str tag;
	struct str verb; /* as sent; behind UID the second word */
	bool uid;        /* the verb came behind UID */

	bool utf8; /* context, set before parsing: mailbox names are UTF-8, not modified UTF-7 */
	/* A mailbox argument is good syntax but no valid modified UTF-7 or UTF-8, so that no
	 * mailbox can have that name: answer NO (RK_INVALID), run nothing. */
	bool bad_name;
	const char *why; /* with PARSE_BAD: static text for the tagged BAD */

	union {
		struct cmd_words enable;
		struct cmd_id id;
		struct cmd_mailbox mailbox;
		struct cmd_create create;
		struct cmd_rename rename;
		struct cmd_append append;
		struct cmd_store store;
		struct cmd_copy copy;
		struct cmd_expunge expunge;
		struct cmd_search search;
		struct cmd_status status;
		struct cmd_list list;
		struct cmd_fetch fetch;
		struct cmd_login login;
		struct cmd_authenticate authenticate;
	} u;
};

#endif
