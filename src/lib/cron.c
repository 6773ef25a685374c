#include "lib/cron.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/str.h"

enum { FIELDS = 5, TEXT_MAX = 256, SHOWN = 48 };

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may",
	"jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu",
	"fri", "sat", NULL };

static const struct field {
	const char *name;
	int min, max;
	const char *const *words; /* for min, min + 1...; or NULL */
} fields[FIELDS] = {
	{ "minute", 0, 59, NULL },
	{ "hour", 0, 23, NULL },
	{ "day of month", 1, 31, NULL },
	{ "month", 1, 12, month_names },
	{ "day of week", 0, 7, day_names },
};

static const struct shortcut {
	const char *word, *text;
} shortcuts[] = {
	{ "@hourly", "0 * * * *" },
	{ "@daily", "0 0 * * *" },
	{ "@midnight", "0 0 * * *" },
	{ "@weekly", "0 0 * * 0" },
	{ "@monthly", "0 0 1 * *" },
	{ "@yearly", "0 0 1 1 *" },
	{ "@annually", "0 0 1 1 *" },
};

/* One piece of a field's list, as "mon-fri/2", while it is read. */
struct piece {
	const struct field *field;
	const char *text;
	struct err *err;
};

static bool
refuse(const struct piece *p, const char *why)
{
	char shown[SHOWN];

	str_escape(shown, sizeof shown, p->text, strlen(p->text));
	err_set(p->err, EXIT_DATA, "bad_argument", "cron: %s \"%s\": %s",
	    p->field->name, shown, why);
	return false;
}

static bool
refuse_value(const struct piece *p)
{
	char why[64];

	snprintf(why, sizeof why, "not from %d to %d%s", p->field->min,
	    p->field->max,
	    p->field->words == month_names ? ", nor jan to dec"
	    : p->field->words == day_names ? ", nor sun to sat"
					   : "");
	return refuse(p, why);
}

static bool
value(const struct piece *p, const char *text, int *out)
{
	const struct field *f = p->field;
	uint64_t n;
	int i;

	for (i = 0; f->words != NULL && f->words[i] != NULL; i++) {
		if (str_ieq(text, f->words[i])) {
			*out = f->min + i;
			return true;
		}
	}
	if (!str_u64(text, (uint64_t)f->min, (uint64_t)f->max, &n))
		return refuse_value(p);
	*out = (int)n;
	return true;
}

/* "*", "5" or "1-5": [*low, *high] */
static bool
range(const struct piece *p, char *text, int *low, int *high)
{
	char *dash = strchr(text, '-');

	if (strcmp(text, "*") == 0) {
		*low = p->field->min;
		*high = p->field->max;
		return true;
	}
	if (dash != NULL)
		*dash++ = '\0';
	if (!value(p, text, low))
		return false;
	*high = *low;
	if (dash != NULL && !value(p, dash, high))
		return false;
	if (*high < *low)
		return refuse(p, "the range runs backwards");
	return true;
}

static bool
piece_read(const struct piece *p, uint64_t *bits)
{
	char text[TEXT_MAX];
	char *slash;
	uint64_t step = 1;
	int low, high;

	str_copy(text, sizeof text, p->text);
	slash = strchr(text, '/');
	if (slash != NULL) {
		*slash++ = '\0';
		if (!str_u64(slash, 1, (uint64_t)p->field->max, &step))
			return refuse(p, "the step is no number in its range");
		if (strpbrk(text, "*-") == NULL)
			return refuse(p, "a step needs a range, as 5-59/15");
	}
	if (!range(p, text, &low, &high))
		return false;
	for (; low <= high; low += (int)step)
		*bits |= UINT64_C(1) << low;
	return true;
}

static bool
field_read(
    const struct field *f, const char *text, uint64_t *bits, struct err *err)
{
	char copy[TEXT_MAX];
	char *rest = copy;
	const char *one;

	*bits = 0;
	str_copy(copy, sizeof copy, text);
	while ((one = strsep(&rest, ",")) != NULL) {
		struct piece p = { f, one, err };

		if (!piece_read(&p, bits))
			return false;
	}
	return true;
}

/* Cuts 'text' at blanks; how many fields there are, at most FIELDS + 1. */
static int
split(char *text, char *parts[FIELDS + 1])
{
	int n = 0;
	char *part;

	while (n <= FIELDS && (part = strsep(&text, " \t")) != NULL)
		if (*part != '\0')
			parts[n++] = part;
	return n;
}

static bool
fields_read(struct cron *c, const char *text, struct err *err)
{
	char copy[TEXT_MAX];
	char *parts[FIELDS + 1];
	uint64_t bits[FIELDS];
	int i;

	if (!str_copy(copy, sizeof copy, text) ||
	    split(copy, parts) != FIELDS) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "cron: wants five fields: minute, hour, day of month, "
		    "month, day of week; or a word such as @daily");
		return false;
	}
	for (i = 0; i < FIELDS; i++)
		if (!field_read(&fields[i], parts[i], &bits[i], err))
			return false;
	c->minutes = bits[0];
	c->hours = (uint32_t)bits[1];
	c->days = (uint32_t)bits[2];
	c->months = (uint32_t)bits[3];
	c->weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f);
	c->any_day = parts[2][0] == '*';
	c->any_weekday = parts[4][0] == '*';
	c->steady = strpbrk(parts[0], "*/") || strpbrk(parts[1], "*/");
	return true;
}

static bool
every_read(struct cron *c, const char *span, struct err *err)
{
	char shown[SHOWN];

	span += strspn(span, " \t");
	if (clock_span(span, 1000, &c->every_ms) && c->every_ms >= 1000)
		return true;
	str_escape(shown, sizeof shown, span, strlen(span));
	err_set(err, EXIT_DATA, "bad_argument",
	    "cron: @every \"%s\": no span such as 90s, 10m or 1h30m, of at "
	    "least 1 s",
	    shown);
	return false;
}

static bool
word_read(struct cron *c, const char *word, struct err *err)
{
	char shown[SHOWN];
	size_t i;

	if (str_starts(word, "@every ") || str_starts(word, "@every\t"))
		return every_read(c, word + strlen("@every "), err);
	for (i = 0; i < sizeof shortcuts / sizeof *shortcuts; i++)
		if (str_ieq(word, shortcuts[i].word))
			return fields_read(c, shortcuts[i].text, err);
	str_escape(shown, sizeof shown, word, strlen(word));
	err_set(err, EXIT_DATA, "bad_argument",
	    "cron: \"%s\" is none of @hourly, @daily, @midnight, @weekly, "
	    "@monthly, @yearly, @annually, @every SPAN",
	    shown);
	return false;
}

bool
cron_parse(struct cron *c, const char *text, struct err *err)
{
	memset(c, 0, sizeof *c);
	text += strspn(text, " \t");
	return text[0] == '@' ? word_read(c, text, err)
			      : fields_read(c, text, err);
}
