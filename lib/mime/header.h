/*
 * Header fields of a message, streaming and linear: finds where the header ends and picks fields by
 * name for BODY[HEADER.FIELDS (…)]. Bytes are given back exactly as they stand (with CRLF line
 * ends).
 */
#ifndef MIME_HEADER_H
#define MIME_HEADER_H

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/stream.h"

/*
 * Reads from the start of a message up to and including the empty line that ends the header (or the
 * end of the message). *size_out: bytes with that line. Bounded by nothing but the message;
 * constant memory.
 */
RK_MUST_CHECK enum rk_status header_size(
    struct stream *message, uint64_t *size_out, struct rk_err *err);

/*
 * Appends to `out` the fields of `header` (whole header with CRLF line ends) whose names are in
 * `names` (all the others if `invert`), folded lines and case as they stand, then the empty line if
 * there is one.
 * Names compare without regard to case; a line that is no field belongs to the field before it.
 */
void header_select(
    struct str header, const struct str *names, size_t n, bool invert, struct buf *out);

#endif
