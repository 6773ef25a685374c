/*
 * conf_priv - between the files of conf
 */
#ifndef EWS_LIB_CONF_PRIV_H
#define EWS_LIB_CONF_PRIV_H

#include "lib/conf.h"

/* In rising order of precedence. */
enum conf_source { CONF_UNSET, CONF_DEFAULT, CONF_FILE, CONF_ENV, CONF_FLAG };

/* Where a value comes from, and how an error names it. */
struct conf_from {
	enum conf_source source;
	const char *name; /* flag, variable or file; lent */
	int line; /* of the file */
};

struct conf_value {
	enum conf_source source;
	char *name;
	int line;
	char **texts; /* at most one unless a LIST */
	size_t n;
	int64_t number; /* of BOOL, INT, SIZE, SPAN */
};

struct conf {
	const struct setting *table;
	size_t n;
	struct conf_value *values;
};

/* Index in the table, or conf->n. "-" and "_" are the same. */
size_t conf_find(const struct conf *, const char *key);

/* Checks the text and stores it, unless a higher source has spoken. */
bool conf_set(struct conf *, size_t, const char *text, const struct conf_from *,
    struct err *);
/* What is wrong, named after where it was said. */
void conf_fail(const struct conf_from *, struct err *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Does 'text' suit the setting? Gives the number it stands for, and in
 * *word the table's spelling of a WORD. Otherwise says in 'why' what is
 * allowed. */
struct conf_checked {
	int64_t number;
	char word[64];
};
bool conf_check(const struct setting *, const char *text, struct conf_checked *,
    char *why, size_t why_size);

bool conf_read_flags(
    struct conf *, int *argc, char **argv, conf_until_fn *, struct err *);
bool conf_read_file(
    struct conf *, const char *path, bool may_be_absent, struct err *);

/* The names in 'flag': "l,listen" has both. 0 and NULL if there is none. */
char conf_short(const struct setting *);
const char *conf_long(const struct setting *);

#endif
