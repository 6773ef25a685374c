#include "lib/target.h"

#include <stdlib.h>
#include <string.h>

#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/str.h"

enum kind { TERM_ALL, TERM_TAG, TERM_ID, TERM_GLOB };

struct term {
	enum kind kind;
	bool negated;
	unsigned expression; /* terms of one number must all hold */
	const char *text; /* behind "tag:"; in the block of 'first' */
	char *block; /* only the first term of an expression owns it */
};

struct target {
	struct term terms[TARGET_TERMS_MAX];
	unsigned n, expressions;
};

struct target *
target_new(void)
{
	return mem_alloc(sizeof(struct target));
}

static void
drop_from(struct target *t, unsigned n)
{
	while (t->n > n)
		free(t->terms[--t->n].block);
}

void
target_free(struct target *t)
{
	if (t == NULL)
		return;
	drop_from(t, 0);
	free(t);
}

/* ---- reading -------------------------------------------------------------- */

static bool
complain(const char *text, const char *why, struct err *err)
{
	err_set(err, EXIT_DATA, "bad_argument", "target %.80s: %s",
	    *text != '\0' ? text : "\"\"", why);
	return false;
}

/* A typing mistake in "tag:" must not become a name that nobody has. */
static bool
read_term(struct term *term, char *text, struct err *err)
{
	const char *whole = text;

	if (*text == '!') {
		term->negated = true;
		text++;
	}
	if (*text == '\0')
		return complain(whole, "an empty term", err);
	if (str_eq(text, "all"))
		term->kind = TERM_ALL;
	else if (str_starts(text, "tag:"))
		term->kind = TERM_TAG;
	else if (str_starts(text, "id:"))
		term->kind = TERM_ID;
	else
		term->kind = TERM_GLOB;
	if (term->kind == TERM_TAG || term->kind == TERM_ID)
		text = strchr(text, ':') + 1;
	else if (strchr(text, ':') != NULL || *text == '!')
		return complain(whole,
		    "no such kind of term; a name with \":\" or a leading "
		    "\"!\" is written id:NAME",
		    err);
	if (*text == '\0')
		return complain(whole, "nothing behind the colon", err);
	term->text = text;
	return true;
}

bool
target_add(struct target *t, const char *expression, struct err *err)
{
	unsigned before = t->n;
	char *rest, *text, *block;

	if (strlen(expression) > TARGET_TEXT_MAX)
		return complain(expression, "is too long", err);
	if (!str_utf8(expression, strlen(expression), false))
		return complain("", "is not UTF-8", err);
	rest = block = mem_dup(expression);
	while ((text = strsep(&rest, ",")) != NULL) {
		struct term term = { .expression = t->expressions,
			.block = block };

		if (t->n == TARGET_TERMS_MAX || !read_term(&term, text, err)) {
			complain(expression, "too many terms", err);
			if (t->n == before)
				free(block);
			drop_from(t, before);
			return false;
		}
		t->terms[t->n++] = term;
		block = NULL;
	}
	t->expressions++;
	return true;
}

/* ---- matching ------------------------------------------------------------- */

/* Behind one UTF-8 character. */
static const char *
next_char(const char *s)
{
	s++;
	while (((unsigned char)*s & 0xc0) == 0x80)
		s++;
	return s;
}

/* Only the last star is ever tried again: what an earlier one took cannot
 * matter any more. So the time is the product of the lengths at most. */
static bool
glob(const char *pattern, const char *name)
{
	const char *star = NULL, *mark = NULL;

	while (*name != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			mark = name;
		} else if (*pattern == '?') {
			pattern++;
			name = next_char(name);
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star;
			name = mark = next_char(mark);
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
has_tag(const json_t *tags, const char *word)
{
	for (size_t i = 0; i < json_array_size(tags); i++)
		if (str_eq(json_string_value(json_array_get(tags, i)), word))
			return true;
	return false;
}

static bool
holds(const struct term *term, const char *agent, const json_t *tags)
{
	switch (term->kind) {
	case TERM_ALL:
		return true;
	case TERM_TAG:
		return has_tag(tags, term->text);
	case TERM_ID:
		return str_eq(agent, term->text);
	case TERM_GLOB:
		return glob(term->text, agent);
	}
	return false;
}

bool
target_match(const struct target *t, const char *agent, const json_t *tags)
{
	bool all = false;

	for (unsigned i = 0; i < t->n; i++) {
		const struct term *term = &t->terms[i];
		bool first = i == 0 || term[-1].expression != term->expression;

		if (first && all)
			return true;
		if (first)
			all = true;
		if (holds(term, agent, tags) == term->negated)
			all = false;
	}
	return all;
}
