/*
 * A command as data: what the grammar functions (parse.h) make of a run of bytes, and all that a
 * handler ever sees of it. Everything lives in the command's arena or in the bytes of the reader;
 * both stay until the command is answered.
 */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include "imapd/proto/command_fetch.h"
#include "imapd/proto/command_mailbox.h"
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
