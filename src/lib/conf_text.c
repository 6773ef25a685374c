#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/conf_priv.h"
#include "lib/path.h"
#include "lib/str.h"

enum { TEXT_MAX = 65536 };

static bool
check_bool(const char *text, int64_t *out)
{
	static const char *const words[] = { "false", "true", "no", "yes",
		"off", "on", "0", "1" };
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (str_ieq(text, words[i])) {
			*out = (int64_t)(i % 2);
			return true;
		}
	return false;
}

static bool
check_int(const char *text, int64_t *out)
{
	bool minus = *text == '-';
	uint64_t n;

	if (!str_u64(text + minus, 0, INT64_MAX, &n))
		return false;
	*out = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

static bool
check_size(const char *text, int64_t *out)
{
	uint64_t n;

	if (!str_size(text, &n) || n > INT64_MAX)
		return false;
	*out = (int64_t)n;
	return true;
}

/* 'words' is "text|json". */
static bool
check_word(const char *words, const char *text, char *out, size_t size)
{
	const char *end;
	char word[64];

	for (; words != NULL; words = end != NULL ? end + 1 : NULL) {
		end = strchr(words, '|');
		snprintf(word, sizeof word, "%.*s",
		    end != NULL ? (int)(end - words) : (int)strlen(words),
		    words);
		if (str_ieq(word, text))
			return str_copy(out, size, word);
	}
	return false;
}

/* The bounds as they would be written. */
static const char *
bound(const struct setting *s, int64_t n, char *out, size_t size)
{
	if (s->kind == CONF_SPAN)
		return clock_span_text(out, size, n);
	snprintf(out, size, "%lld%s", (long long)n,
	    s->kind == CONF_SIZE ? " bytes" : "");
	return out;
}

static bool
check_range(const struct setting *s, int64_t n, char *why, size_t size)
{
	char min[32], max[32];

	if (n >= s->min && n <= s->max)
		return true;
	snprintf(why, size, "must be from %s to %s",
	    bound(s, s->min, min, sizeof min),
	    bound(s, s->max, max, sizeof max));
	return false;
}

static bool
check_number(const struct setting *s, const char *text, int64_t *n, char *why,
    size_t size)
{
	char expected[96], most[32];
	bool ok;

	if (s->kind == CONF_INT) {
		ok = check_int(text, n);
		str_copy(expected, sizeof expected, "an integer");
	} else if (s->kind == CONF_SIZE) {
		ok = check_size(text, n);
		str_copy(
		    expected, sizeof expected, "a size such as 4096, 64k, 1M");
	} else {
		ok = clock_span(text, 1000, n);
		/* one of many digits looks like a time, and is over any bound */
		snprintf(expected, sizeof expected,
		    "a time such as 500ms, 10s, 1h30m, of at most %s",
		    bound(s, s->max, most, sizeof most));
	}
	if (ok)
		return check_range(s, *n, why, size);
	snprintf(why, size, "\"%.40s\" is not %s", text, expected);
	return false;
}

/* For every kind: ABUSE 56. */
static const char *
unfit(const struct setting *s, const char *text)
{
	size_t len = strlen(text);

	if (len > (s->kind == CONF_PATH ? PATH_SIZE - 1 : TEXT_MAX))
		return "is too long";
	if (!str_utf8(text, len, false))
		return "is not UTF-8";
	if (len == 0 && s->kind != CONF_STRING)
		return "is empty";
	return NULL;
}

bool
conf_check(const struct setting *s, const char *text, struct conf_checked *out,
    char *why, size_t size)
{
	const char *bad = unfit(s, text);

	memset(out, 0, sizeof *out);
	if (bad != NULL) {
		snprintf(why, size, "%s", bad);
		return false;
	}
	switch (s->kind) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_LIST:
		return true;
	case CONF_BOOL:
		if (check_bool(text, &out->number))
			return true;
		snprintf(why, size, "\"%.40s\" is not true or false", text);
		return false;
	case CONF_WORD:
		if (check_word(s->arg, text, out->word, sizeof out->word))
			return true;
		snprintf(why, size, "\"%.40s\" is not one of %s", text, s->arg);
		return false;
	case CONF_INT:
	case CONF_SIZE:
	case CONF_SPAN:
		break;
	}
	return check_number(s, text, &out->number, why, size);
}
