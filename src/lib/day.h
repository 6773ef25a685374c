/*
 * day - the calendar: days since 1970-01-01 and what people call them
 *
 * Proleptic Gregorian, without zones; good for some 10^12 years either way.
 */
#ifndef EWS_LIB_DAY_H
#define EWS_LIB_DAY_H

#include <stdbool.h>
#include <stdint.h>

enum { DAY_SECONDS = 86400 };

struct day {
	int64_t year;
	int month, day; /* from 1 */
};

int64_t day_number(int64_t year, int month, int day);
struct day day_civil(int64_t number);
int day_weekday(int64_t number); /* 0: Sunday */
bool day_leap(int64_t year);
int day_month_length(int64_t year, int month);

/* Of Unix (or local) seconds: rounds down, also before 1970. */
int64_t day_of_seconds(int64_t seconds);

#endif
