/*
 * The effective configuration. The master parses rookery.conf once (libconfuse), checks all of it
 * against the option table (options.c: the one place that knows every section, option, type,
 * default and its explanation) and hands the result to its children as a sealed file; nobody else
 * parses.
 *
 * Names are "section.option", for example conf_str(conf, NULL, "gate.user"). Sections that may
 * stand several times with a title (listen "imap" { }) are walked with conf_next and given as `in`:
 * conf_int(conf, listen, "port").
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "lib/base/buf.h"
#include "lib/base/str.h"

struct conf;
struct conf_section;

/* One mistake: where and what, with a suggestion. */
struct conf_problem {
	const char *file;
	unsigned line;
	const char *text;
};

struct conf_problems {
	struct conf_problem *list;
	size_t n;
};

/*
 * Reads `path`. RK_INVALID with every semantic mistake at once in *problems_out (libconfuse stops
 * at the first syntax error, which then stands there alone); they live in `mem`. RK_NOTFOUND,
 * RK_TEMP. Unknown options are mistakes with the nearest known name as suggestion. *out is the
 * caller's.
 */
RK_MUST_CHECK enum rk_status conf_load(const char *path, struct rk_arena *mem, struct conf **out,
    struct conf_problems *problems_out, struct rk_err *err);
void conf_free(struct conf *conf);

/* The effective configuration in the syntax of rookery.conf: reading it back gives the same. */
void conf_print(const struct conf *conf, struct buf *out);

/* For the way to the children: bytes that conf_unpack reads back; RK_CORRUPT for anything else. */
void conf_pack(const struct conf *conf, struct buf *out);
RK_MUST_CHECK enum rk_status conf_unpack(
    const void *bytes, size_t n, struct conf **out, struct rk_err *err);
/* conf_unpack over the whole of a descriptor (SERVICE_FD_CONF). */
RK_MUST_CHECK enum rk_status conf_from_fd(int fd, struct conf **out, struct rk_err *err);

/*
 * Values. A name that the option table lacks is our bug and ends the process; every option has a
 * value, its default if nothing else. Strings are borrowed from conf, never NULL ("" if unset).
 */
const char *conf_str(const struct conf *conf, const struct conf_section *in, const char *name);
int64_t conf_int(const struct conf *conf, const struct conf_section *in, const char *name);
bool conf_bool(const struct conf *conf, const struct conf_section *in, const char *name);
/* Number of strings of a list option, and the i-th. */
size_t conf_list_len(const struct conf *conf, const struct conf_section *in, const char *name);
const char *conf_list_at(
    const struct conf *conf, const struct conf_section *in, const char *name, size_t i);

/* Titled sections of one kind ("listen", "storage", "database", "tls_name") in file order: the one
 * after `after`, the first for NULL; NULL at the end. */
const struct conf_section *conf_next(
    const struct conf *conf, const char *kind, const struct conf_section *after);
/* By title; NULL if there is none. */
const struct conf_section *conf_find(const struct conf *conf, const char *kind, const char *title);
const char *conf_title(const struct conf_section *section);

/*
 * Where things are, from `state_dir` and `run_dir`: RUN/control (socket), RUN/empty (chroot),
 * STATE/index. Defaults for an ordinary user are below its own home (see options.c).
 */
#endif
