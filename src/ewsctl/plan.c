/* when a command is to run, and what else says how it waits */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ewsctl/ask.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/str.h"
#include "lib/tz.h"

static bool
given(const struct ask *a, size_t setting)
{
	return !conf_is_default(a->conf, setting);
}

/* ---- which flags go together ---------------------------------------------- */

struct clash {
	bool is;
	const char *why;
};

static bool
none_is(const struct clash *c, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!c[i].is)
			continue;
		err_set(err, EXIT_USAGE_, "usage", "%s", c[i].why);
		return false;
	}
	return true;
}

static bool
time_ok(const struct ask *a, const char *verb, struct err *err)
{
	bool at = given(a, SET_at), in = given(a, SET_in);
	bool cron = given(a, SET_cron), once = at || in;
	const struct clash table[] = {
		{ at && in, "--at and --in are two times: give one" },
		{ cron && once, "--cron has its own times: no --at, no --in" },
		{ cron && !str_eq(verb, "send"),
		    "--cron has no one end to wait for: use ewsctl send" },
		{ cron && given(a, SET_wait),
		    "--cron has no one end to wait for: no --wait" },
		{ cron && given(a, SET_id),
		    "each run of --cron has an id of its own: --schedule-id "
		    "names them all" },
		{ given(a, SET_schedule_id) && !cron,
		    "--schedule-id goes with --cron; --id names one command" },
		{ given(a, SET_late) && !cron && !once,
		    "--late goes with --at, --in or --cron" },
		{ conf_is_flag(a->conf, SET_tz) && !at && !cron,
		    "--tz goes with --at or --cron" },
		{ conf_bool(a->conf, SET_at_edge) && !once,
		    "--at-edge goes with --at or --in" },
		{ given(a, SET_lines) && cron, "--lines: no --cron" },
	};

	return none_is(table, sizeof table / sizeof *table, err);
}

/* Without --target they would do nothing, and nobody would hear of it. */
static bool
many_ok(const struct ask *a, struct err *err)
{
	bool one = conf_count(a->conf, SET_target) == 0;
	const struct conf *c = a->conf;
	const struct clash table[] = {
		{ one && conf_is_flag(c, SET_parallel),
		    "--parallel goes with --target" },
		{ one && conf_is_flag(c, SET_canary),
		    "--canary goes with --target" },
		{ one && conf_is_flag(c, SET_abort_after),
		    "--abort-after goes with --target" },
		{ one && conf_is_flag(c, SET_need),
		    "--need goes with --target" },
		{ one && conf_is_flag(c, SET_group),
		    "--group goes with --target" },
	};

	return none_is(table, sizeof table / sizeof *table, err);
}

static bool
stdin_ok(const struct ask *a, const char *verb, struct err *err)
{
	bool in = conf_bool(a->conf, SET_stdin);
	bool send = str_eq(verb, "send");
	const char *payload = send ? (a->argc > 2 ? a->argv[2] : NULL)
				   : conf_str(a->conf, SET_payload);
	const struct clash table[] = {
		{ in && given(a, SET_lines), "--lines: no --stdin" },
		{ in && given(a, SET_cron),
		    "--stdin: nobody would feed the runs of --cron" },
		{ in && conf_bool(a->conf, SET_at_edge),
		    "--stdin: nobody can feed an agent whose link is down "
		    "(--at-edge)" },
		{ in && str_eq(payload, "-"),
		    "stdin is the payload (-) or the handler's (--stdin)" },
		{ in && send && !str_eq(conf_str(a->conf, SET_wait), "done"),
		    "--stdin needs somebody who stays: --wait=done, or "
		    "ewsctl run" },
	};

	return none_is(table, sizeof table / sizeof *table, err);
}

bool
plan_ok(const struct ask *a, const char *verb, struct err *err)
{
	return time_ok(a, verb, err) && many_ok(a, err) &&
	       stdin_ok(a, verb, err);
}

/* ---- a time as people write it -------------------------------------------- */

static bool
is_civil(const char *text, struct tm *tm)
{
	int n = 0;

	memset(tm, 0, sizeof *tm);
	if (strlen(text) < 16 || text[10] != ' ')
		return false;
	if (sscanf(text, "%4d-%2d-%2d %2d:%2d%n", &tm->tm_year, &tm->tm_mon,
		&tm->tm_mday, &tm->tm_hour, &tm->tm_min, &n) != 5 ||
	    n != 16)
		return false;
	if (text[n] != '\0' &&
	    (sscanf(text + n, ":%2d%n", &tm->tm_sec, &n) != 1 || n != 3 ||
		text[19] != '\0'))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return true;
}

static bool
same_civil(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon &&
	       a->tm_mday == b->tm_mday && a->tm_hour == b->tm_hour &&
	       a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

/* A time that occurs twice is taken as the first. */
static bool
in_zone(const struct tm *civil, const struct tz *tz, int64_t *seconds)
{
	struct tm copy = *civil, back;
	int64_t utc = timegm(&copy), best = INT64_MAX;
	const int64_t guesses[] = { utc - 86400, utc + 86400 };

	for (int i = 0; i < 2; i++) {
		int64_t s = utc - tz_offset(tz, guesses[i]);
		time_t shifted = (time_t)(s + tz_offset(tz, s));

		gmtime_r(&shifted, &back);
		if (same_civil(civil, &back) && s < best)
			best = s;
	}
	*seconds = best;
	return best != INT64_MAX;
}

static bool
here(const struct tm *civil, int64_t *seconds)
{
	struct tm copy = *civil, back;
	time_t s;

	copy.tm_isdst = -1;
	s = mktime(&copy);
	*seconds = s;
	return localtime_r(&s, &back) != NULL && same_civil(civil, &back);
}

bool
plan_time(const char *text, const char *zone, int64_t *ms, struct err *err)
{
	bool exists, bare = strspn(text, "0123456789") == strlen(text);
	struct tz *tz = NULL;
	struct tm civil;

	if (!is_civil(text, &civil)) {
		/* without an offset it could be anybody's */
		if (!bare && clock_parse(text, ms) &&
		    (*text == '@' || (strlen(text) > 19 &&
					 strpbrk(text + 19, "Zz+-") != NULL)))
			return true;
		err_set(err, EXIT_USAGE_, "usage",
		    "--at: \"%.60s\" is no time: 2026-01-31T07:00:00Z, with "
		    "Z or an offset; @UNIXSECONDS; or local 2026-01-31 07:00",
		    text);
		return false;
	}
	if (zone != NULL && (tz = tz_open(zone, err)) == NULL)
		return false;
	exists = tz != NULL ? in_zone(&civil, tz, ms) : here(&civil, ms);
	tz_free(tz);
	if (exists)
		*ms *= 1000;
	else
		err_set(err, EXIT_USAGE_, "usage",
		    "--at: %.40s does not exist%s%s", text,
		    zone != NULL ? " in " : " here", zone != NULL ? zone : "");
	return exists;
}

/* ---- into the request ----------------------------------------------------- */

static void
add(json_t *request, const char *key, json_t *value)
{
	if (json_object_get(request, key) == NULL)
		json_object_set(request, key, value);
	json_decref(value);
}

static bool
add_time(const struct ask *a, json_t *request, struct err *err)
{
	const char *at = conf_str(a->conf, SET_at);
	int64_t ms = 0;

	if (at != NULL && !plan_time(at, conf_str(a->conf, SET_tz), &ms, err))
		return false;
	if (given(a, SET_in))
		ms = clock_wall(&clock_system) + conf_int(a->conf, SET_in);
	if (ms > 0)
		add(request, "at_ms", json_integer(ms));
	return true;
}

bool
plan_add(const struct ask *a, json_t *request, struct err *err)
{
	const struct conf *c = a->conf;

	add(request, "priority", json_string(conf_str(c, SET_priority)));
	if (conf_int(c, SET_deadline) > 0)
		add(request, "deadline_ms",
		    json_integer(conf_int(c, SET_deadline)));
	if (conf_int(c, SET_ttl) > 0)
		add(request, "ttl_ms", json_integer(conf_int(c, SET_ttl)));
	if (given(a, SET_late))
		add(request, "late", json_string(conf_str(c, SET_late)));
	if (conf_bool(c, SET_at_edge))
		add(request, "at_edge", json_true());
	if (str_eq(conf_str(c, SET_evict), "oldest"))
		add(request, "evict", json_string("oldest"));
	if (conf_bool(c, SET_queue_unknown))
		add(request, "queue_unknown", json_true());
	if (conf_bool(c, SET_at_least_once))
		add(request, "at_least_once", json_true());
	return add_time(a, request, err);
}
