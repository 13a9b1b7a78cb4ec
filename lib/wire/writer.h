/*
 * IMAP's bytes on the way out: one printer that chooses atom, quoted or literal by content (V29),
 * so that no value can break out of its place. Writes into a buf that the caller sends.
 */
#ifndef WIRE_WRITER_H
#define WIRE_WRITER_H

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/uidset.h"

/* Quoted if it has no CR, LF, NUL, 8-bit (unless utf8_quoted) and at most 1024 bytes, else a
 * literal, in which 0x80 stands for each NUL. */
void write_string(struct buf *out, struct str s, bool utf8_quoted);
void write_nstring(struct buf *out, struct str s, bool nil, bool utf8_quoted);
/* Atom if it may be one, else as write_string. */
void write_astring(struct buf *out, struct str s, bool utf8_quoted);
/* Mailbox name: modified UTF-7 unless utf8 (IMAP4rev2 enabled). */
void write_mailbox(struct buf *out, struct str name_utf8, bool utf8);
/* 1:3,7 */
void write_uidset(struct buf *out, const struct uidset *set);
/* "17-Jul-1996 02:44:25 -0700" of seconds since 1970 in UTC, with quotes. */
void write_date_time(struct buf *out, int64_t seconds);
/* Human text behind a response: CR, LF, NUL and 8-bit become `?`, cut at 512 bytes. */
void write_text(struct buf *out, struct str s);

#endif
