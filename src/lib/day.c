#include "lib/day.h"

/* of 400 years, after which the calendar repeats itself */
enum { ERA_DAYS = 146097 };
/* 0000-03-01, where a leap day is the last of its year */
static const int64_t origin = -719468;

static int64_t
floor_div(int64_t n, int64_t by)
{
	return n / by - (n % by < 0);
}

/* Before the given month of a year that begins with March (0). */
static int
days_before(int month)
{
	return (153 * month + 2) / 5;
}

int64_t
day_number(int64_t year, int month, int day)
{
	int from_march = (month + 9) % 12;
	int64_t y = year - (month < 3), era = floor_div(y, 400);
	int64_t of_era = y - era * 400;

	return origin + era * ERA_DAYS + of_era * 365 + of_era / 4 -
	       of_era / 100 + days_before(from_march) + day - 1;
}

struct day
day_civil(int64_t number)
{
	int64_t era = floor_div(number - origin, ERA_DAYS);
	int64_t rest = number - origin - era * ERA_DAYS;
	int64_t year =
	    (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
	int of_year = (int)(rest - (year * 365 + year / 4 - year / 100));
	int from_march = (5 * of_year + 2) / 153;
	int month = (from_march + 2) % 12 + 1;

	return (struct day){ era * 400 + year + (month < 3), month,
		of_year - days_before(from_march) + 1 };
}

/* 1970-01-01 was a Thursday. */
int
day_weekday(int64_t number)
{
	return (int)(number + 4 - floor_div(number + 4, 7) * 7);
}

bool
day_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int
day_month_length(int64_t year, int month)
{
	if (month == 2)
		return day_leap(year) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

int64_t
day_of_seconds(int64_t seconds)
{
	return floor_div(seconds, DAY_SECONDS);
}
