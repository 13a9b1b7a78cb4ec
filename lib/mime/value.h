/* What part.c keeps of the header fields of a part; for this folder. */
#ifndef MIME_VALUE_H
#define MIME_VALUE_H

#include "lib/mime/part.h"

/* A field of the part's header ("Name: value", line ends taken out). Gives the bytes kept of it. */
size_t mime_value_field(struct mime_part *part, struct str field, struct rk_arena *mem);

/* The header is complete: type, defaults, kind; *boundary_out is empty for all but a multipart. */
void mime_value_finish(struct mime_part *part, struct rk_arena *mem, struct str *boundary_out);

#endif
