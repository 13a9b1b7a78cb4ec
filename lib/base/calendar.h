/* The proleptic Gregorian calendar, without time zones and leap seconds. */
#ifndef BASE_CALENDAR_H
#define BASE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

/* Days since 1970-01-01; month 1 to 12, years 0 to 9999. */
int32_t calendar_days(int year, int month, int day);

/* Whether there is such a day. */
bool calendar_has(int year, int month, int day);

#endif
