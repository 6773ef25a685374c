#include "lib/tz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/str.h"
#include "lib/tz_priv.h"

enum { FILE_MAX = 1 << 20, NAME_MAX_ = 64 };

/* beyond these there is no calendar to speak of, and sums would overflow */
static const int64_t latest = INT64_C(1) << 56;

static int64_t
clamp(int64_t at)
{
	if (at > latest)
		return latest;
	return at < -latest ? -latest : at;
}

static bool
name_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_ && name[0] != '/' &&
	       strstr(name, "..") == NULL &&
	       strspn(name,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789_+-/") == len;
}

static bool
in_dir(char out[PATH_SIZE], const char *dir, const char *name)
{
	return path_join(out, dir, name, NULL) && access(out, F_OK) == 0;
}

static bool
find(char out[PATH_SIZE], const char *name, struct err *err)
{
	static const char *const dirs[] = { "/usr/share/zoneinfo",
		"/var/db/timezone/zoneinfo" };
	const char *own = getenv("TZDIR");
	bool any = false;
	size_t i;

	if (own != NULL && own[0] == '/' && in_dir(out, own, name))
		return true;
	for (i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		if (in_dir(out, dirs[i], name))
			return true;
		any = any || access(dirs[i], F_OK) == 0;
	}
	if (any)
		err_set(err, EXIT_DATA, "bad_argument", "no time zone named %s",
		    name);
	else
		err_set(err, EXIT_DATA, "bad_argument",
		    "no time zone %s: there are no zone files here (package "
		    "tzdata); UTC always works",
		    name);
	return false;
}

static bool
load(struct tz *tz, struct err *err)
{
	char path[PATH_SIZE];
	char *bytes;
	size_t len;
	bool ok;

	if (!find(path, tz->name, err))
		return false;
	bytes = path_read(path, FILE_MAX, &len, NULL);
	ok = bytes != NULL && tz_read(tz, bytes, len);
	if (!ok)
		err_set(err, EXIT_DATA, "bad_argument",
		    "time zone %s: %s is no zone file that we can read",
		    tz->name, path);
	free(bytes);
	return ok;
}

struct tz *
tz_open(const char *name, struct err *err)
{
	struct tz *tz;

	if (!name_ok(name)) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "a time zone has a name such as Europe/Berlin, or UTC");
		return NULL;
	}
	tz = mem_alloc(sizeof *tz);
	tz->name = mem_dup(name);
	if (!str_eq(name, "UTC") && !load(tz, err)) {
		tz_free(tz);
		return NULL;
	}
	return tz;
}

void
tz_free(struct tz *tz)
{
	if (tz == NULL)
		return;
	free(tz->name);
	free(tz->times);
	free(tz->offsets);
	free(tz);
}

const char *
tz_name(const struct tz *tz)
{
	return tz->name;
}

/* How many of the table's times are not after 'at'. */
static size_t
passed(const struct tz *tz, int64_t at)
{
	size_t low = 0, high = tz->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tz->times[middle] <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int32_t
tz_offset(const struct tz *tz, int64_t at)
{
	size_t n;

	at = clamp(at);
	n = passed(tz, at);
	if (n == tz->n && tz->has_rule)
		return tz_rule_offset(&tz->rule, at);
	return n == 0 ? tz->first : tz->offsets[n - 1];
}

/* Also of those that change but the name. */
static int64_t
next_entry(const struct tz *tz, int64_t at)
{
	size_t n = passed(tz, at);

	if (n < tz->n)
		return tz->times[n];
	return tz->has_rule ? tz_rule_next(&tz->rule, at) : INT64_MAX;
}

int64_t
tz_next_change(const struct tz *tz, int64_t at)
{
	int32_t offset = tz_offset(tz, at);
	int64_t end = INT64_MAX;

	at = clamp(at);
	for (;;) {
		at = next_entry(tz, at);
		/* a rule that changes nothing would go on for ever */
		if (tz->n == 0 || at > tz->times[tz->n - 1]) {
			if (end == INT64_MAX && at < latest)
				end = at + INT64_C(2) * 366 * 86400;
			if (at > end)
				return INT64_MAX;
		}
		if (at >= latest)
			return INT64_MAX;
		if (tz_offset(tz, at) != offset)
			return at;
	}
}
