/* What the handlers of commands share; for this folder only. */
#ifndef SESSION_COMMANDS_H
#define SESSION_COMMANDS_H

#include "imapd/proto/resp_status.h"
#include "imapd/session/verbs.h"
#include "storage/account/account.h"

/* --- dispatch.c --- */

/* The tagged reply that is due. Texts are static or in run.mem. Return CMD_DONE, so that a handler
 * ends with `return reply_ok(...)`. */
enum cmd_step reply_ok(struct session *s, const char *code, const char *text);
enum cmd_step reply_no(struct session *s, const char *code, const char *text);
enum cmd_step reply_bad(struct session *s, const char *text);
/* The words of the status, and the cause into the log if it is one for the administrator. */
enum cmd_step reply_fail(struct session *s, enum rk_status status, const struct rk_err *err);

/* Canonical form of a mailbox name that the running command has; in run.mem. RK_INVALID. */
RK_MUST_CHECK enum rk_status command_name(
    struct session *s, struct str given, const char **name_out, struct rk_err *err);

/* --- message_set.c --- */

/* UIDs of the view; false: one of the numbers is no message (RFC 9051 section 9, seq-number). */
bool message_set_uids(
    const struct session *s, const struct message_set *set, bool uid, struct uidset *out);
/* Whether some of them are gone from the mailbox by now, as far as the index knows. */
RK_MUST_CHECK enum rk_status message_set_missing(
    struct session *s, const struct uidset *uids, bool *missing_out, struct rk_err *err);

/* --- cmd_store.c: what writing verbs share --- */

/* Keywords as the storage contract takes them, in run.mem. */
struct rk_words command_words(struct session *s, const struct flag_words *flags);
/* The mailbox a message goes to. On failure *step_out is the reply: NO [TRYCREATE] where the
 * mailbox is missing. The caller closes it. */
bool command_target(
    struct session *s, struct str given, struct mailbox **out, enum cmd_step *step_out);
/* NO [READ-ONLY] into *step_out unless the selected mailbox may be changed. */
bool command_may_change(struct session *s, enum cmd_step *step_out);

/* --- cmd_status.c, cmd_list.c: what several verbs tell --- */

RK_MUST_CHECK enum rk_status status_read(struct session *s, const char *name, uint32_t items,
    struct index_info *out, struct rk_err *err);
struct resp_status status_resp(
    const struct session *s, const char *name, uint32_t items, const struct index_info *info);
/* enum list_attr bits as enum resp_list_attr bits. */
uint32_t list_resp_attrs(uint32_t attrs);

#endif
