/* The Date field of RFC 5322 section 3.3, with the obsolete forms (section 4.3). */
#ifndef MIME_DATE_H
#define MIME_DATE_H

#include "lib/base/str.h"

struct mime_date {
	int64_t seconds;      /* since 1970, UTC */
	int32_t zone_minutes; /* east of Greenwich */
	int32_t day; /* days since 1970-01-01 of the date as written, time and zone ignored */
};

/* From an unfolded field value; comments are skipped. False: no date stands there. */
bool mime_date_parse(struct str value, struct mime_date *out);

#endif
