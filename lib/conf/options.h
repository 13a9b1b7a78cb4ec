/*
 * The one table of rookery.conf: every section, option, type, default, check and explanation. The
 * parser, the checks, the printer and the documentation test read it; nothing else knows an option.
 */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include <rookery/types.h>

enum option_type {
	OPTION_STR,
	OPTION_INT,
	OPTION_BOOL,
	OPTION_LIST,
};

/* What a single string (of an option or of a list) must be, beyond its type. */
enum option_check {
	CHECK_TEXT,      /* any printable text */
	CHECK_WORDS,     /* one of `words` */
	CHECK_ABSOLUTE,  /* a path from the root */
	CHECK_TARGET,    /* one of `words` or an absolute path */
	CHECK_MAIL_PATH, /* an absolute path, or one that begins with ~ */
	CHECK_HOME,      /* an absolute path that may hold %{user} %{localpart} %{domain} */
	CHECK_ADDRESS,   /* "*" or an IP address */
	CHECK_NETWORK,   /* an IP address with an optional prefix length */
	CHECK_PARAM,     /* key=value */
};

struct option {
	const char *name;
	enum option_type type;
	bool required; /* must be set to something that is not empty */
	const char *def;
	int64_t min; /* of an integer */
	int64_t max;
	enum option_check check;
	const char *words; /* separated by blanks */
	const char *doc;
};

struct section_kind {
	const char *name; /* "" is the top level */
	bool titled;      /* may stand several times, each with its own title */
	const struct option *options;
	size_t n;
	const char *doc;
};

extern const struct section_kind section_kinds[];
extern const size_t section_kinds_n;

/* NULL if there is none. */
const struct section_kind *section_kind_find(const char *name, size_t len);
const struct option *option_find(const struct section_kind *kind, const char *name, size_t len);

/*
 * Default of an option, "" if it has none. state_dir and run_dir of an ordinary user are below the
 * home of the password file (never $HOME: the environment is not trusted): ~/.local/state/rookery
 * and its run; without such an entry they are "" and must be set. `buf` may hold the answer.
 */
const char *option_default(
    const struct section_kind *kind, const struct option *option, char *buf, size_t size);

#endif
