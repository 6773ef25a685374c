/*
 * target - which agents are meant: "tag:web,tag:eu", "mini*", "all"
 *
 * An expression is one or more terms with commas between, and all of them
 * must hold; of several expressions one is enough. A term is tag:WORD,
 * id:NAME (the very name, whatever is in it), all, or a name in which *
 * stands for any bytes and ? for one character. A leading ! turns it round.
 */
#ifndef EWS_LIB_TARGET_H
#define EWS_LIB_TARGET_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/err.h"

enum {
	TARGET_TERMS_MAX = 256, /* of all expressions together */
	TARGET_TEXT_MAX = 4096 /* bytes of one expression */
};

struct target;

struct target *target_new(void);
void target_free(struct target *);

/* One more expression. False with err (EXIT_DATA, bad_argument), and then
 * nothing of it is added. */
bool target_add(struct target *, const char *expression, struct err *);

/* Does one expression hold for this agent? 'tags' is an array of strings or
 * NULL. Without expressions nobody is meant. */
bool target_match(const struct target *, const char *agent, const json_t *tags);

#endif
