#include "lib/cron.h"
#include "lib/day.h"

/*
 * Two clocks: real time ("at", Unix seconds) and what the wall shows
 * ("local", the same count as if the zone were UTC). At a change of the
 * clock, local jumps while at goes on.
 */
enum {
	MINUTE = 60,
	YEARS = 9, /* from one February 29th to the next: 8 in 2096 */
	/* the farthest that any local clock is from UTC, and more */
	FARTHEST = 27 * 3600
};
static const int64_t horizon = (YEARS * 366L) * DAY_SECONDS;
/* seconds whose milliseconds still fit, with years to spare */
static const int64_t latest = INT64_C(1) << 52;

static bool
day_matches(const struct cron *c, int64_t number)
{
	struct day d = day_civil(number);
	bool day = c->days >> d.day & 1;
	bool weekday = c->weekdays >> day_weekday(number) & 1;

	if (!(c->months >> d.month & 1))
		return false;
	return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

/* The first bit from 'from' on, or -1. */
static int
bit_from(uint64_t bits, int from)
{
	if (from > 63 || (bits >>= from) == 0)
		return -1;
	return from + __builtin_ctzll(bits);
}

/* The first minute of the day that is set, from 'from' on; or -1. */
static int
minute_from(const struct cron *c, int from)
{
	int hour = bit_from(c->hours, from / 60);
	int minute;

	if (hour == -1)
		return -1;
	minute = bit_from(c->minutes, hour == from / 60 ? from % 60 : 0);
	if (minute == -1) {
		hour = bit_from(c->hours, hour + 1);
		minute = bit_from(c->minutes, 0);
	}
	return hour == -1 ? -1 : hour * 60 + minute;
}

/* The first local time >= 'local' that the fields name; -1: none. */
static int64_t
local_from(const struct cron *c, int64_t local)
{
	int64_t day, end;
	int from, minute;

	local += MINUTE - 1;
	day = day_of_seconds(local);
	from = (int)((local - day * DAY_SECONDS) / MINUTE);
	end = day + horizon / DAY_SECONDS;
	for (; day <= end; day++, from = 0) {
		if (!day_matches(c, day))
			continue;
		minute = minute_from(c, from);
		if (minute >= 0)
			return day * DAY_SECONDS + minute * MINUTE;
	}
	return -1;
}

/* Every minute that the wall shows: none in a gap, twice where it repeats. */
static int64_t
next_steady(const struct cron *c, const struct tz *tz, int64_t after)
{
	int64_t at = after + 1, end = after + horizon;

	while (at <= end) {
		int32_t offset = tz_offset(tz, at);
		int64_t local = local_from(c, at + offset);

		if (local == -1)
			return -1;
		if (local - offset < tz_next_change(tz, at))
			return local - offset;
		at = tz_next_change(tz, at);
	}
	return -1;
}

/* The latest that the wall has shown up to 'at': what repeats is over. */
static int64_t
highest_local(const struct tz *tz, int64_t at)
{
	int64_t t = at - 2 * FARTHEST, highest = at + tz_offset(tz, at);

	while ((t = tz_next_change(tz, t)) <= at) {
		int64_t before = t - 1 + tz_offset(tz, t - 1);

		if (before > highest)
			highest = before;
	}
	return highest;
}

/* When the wall first shows 'local', or has jumped over it. */
static int64_t
first_at(const struct tz *tz, int64_t local)
{
	int64_t at = local - FARTHEST;

	for (;;) {
		int64_t then = local - tz_offset(tz, at);
		int64_t change = tz_next_change(tz, at);

		if (then < at)
			return at;
		if (then < change)
			return then;
		at = change;
	}
}

static int64_t
next_fixed(const struct cron *c, const struct tz *tz, int64_t after)
{
	int64_t local = local_from(c, highest_local(tz, after) + 1);

	return local == -1 ? -1 : first_at(tz, local);
}

int64_t
cron_next(const struct cron *c, const struct tz *tz, int64_t after_ms)
{
	int64_t after = after_ms / 1000 - (after_ms % 1000 < 0);
	int64_t at;

	if (after >= latest || after <= -latest)
		return -1;
	if (c->every_ms > 0) {
		int64_t rest = after_ms % c->every_ms;

		return after_ms - rest + (rest < 0 ? 0 : c->every_ms);
	}
	at = c->steady ? next_steady(c, tz, after) : next_fixed(c, tz, after);
	return at == -1 ? -1 : at * 1000;
}
