#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/str.h"

static const int64_t longest = 10LL * 366 * 24 * 3600 * 1000;

static const struct unit {
	const char *word, *long_word;
	int64_t ms;
} units[] = {
	{ "d", "d", 24 * 3600 * 1000 },
	{ "h", "h", 3600 * 1000 },
	{ "m", "min", 60 * 1000 },
	{ "s", "s", 1000 },
	{ "ms", "ms", 1 },
};
enum { N_UNITS = sizeof units / sizeof *units };

static const struct unit *
unit_find(const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < N_UNITS; i++)
		if (strlen(units[i].word) == len &&
		    memcmp(units[i].word, word, len) == 0)
			return &units[i];
	return NULL;
}

static bool
number(const char *s, size_t len, int64_t unit_ms, int64_t *sum)
{
	char text[24];
	uint64_t n;

	if (len == 0 || len >= sizeof text)
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	if (!str_u64(text, 0, (uint64_t)(longest / unit_ms), &n))
		return false;
	*sum += (int64_t)n * unit_ms;
	return *sum <= longest;
}

bool
clock_span(const char *text, int64_t unit_ms, int64_t *ms)
{
	int64_t sum = 0, last = INT64_MAX;
	const char *s = text;

	if (s == NULL || *s == '\0')
		return false;
	do {
		size_t digits = strspn(s, "0123456789");
		size_t letters = strspn(s + digits, "dhms");
		const struct unit *u = unit_find(s + digits, letters);
		int64_t scale = u != NULL ? u->ms : unit_ms;

		/* a bare number stands alone; units only get smaller */
		if (u == NULL && (letters > 0 || s != text))
			return false;
		if (scale >= last || !number(s, digits, scale, &sum))
			return false;
		last = scale;
		s += digits + letters;
		if (u == NULL && *s != '\0')
			return false;
	} while (*s != '\0');
	*ms = sum;
	return true;
}

/* The largest unit that fits, with one digit after the point. */
char *
clock_span_text(char *out, size_t size, int64_t ms)
{
	const struct unit *u = units;
	int64_t tenths;

	if (ms < 0)
		ms = 0;
	while (u->ms > 1 && ms < u->ms)
		u++;
	tenths = ms * 10 / u->ms;
	if (tenths % 10 == 0)
		snprintf(out, size, "%lld %s", (long long)(tenths / 10),
		    u->long_word);
	else
		snprintf(out, size, "%lld.%lld %s", (long long)(tenths / 10),
		    (long long)(tenths % 10), u->long_word);
	return out;
}
