/*
 * gen - what the makers of completions and manuals share: the lists that the
 * programs run on, and how to read them
 */
#ifndef EWS_COMPLETIONS_GEN_H
#define EWS_COMPLETIONS_GEN_H

#include <stdbool.h>

/* A line of a settings.def; a list ends with a name of NULL. */
struct flag {
	const char *name, *kind, *flag, *env, *def, *arg, *help;
};

/* A line of verbs.def. */
struct verb {
	const char *name, *args, *complete, *help, *example;
};

struct program {
	const char *name;
	const struct flag *flags;
	bool has_verbs;
};

/* What the nth argument behind a verb is, if the first is 'first' (NULL:
 * whatever it is): the lines that the command 'list' prints, or 'words' ("":
 * the verbs). */
struct rule {
	const char *complete;
	int nth;
	const char *first, *words, *list;
};

/* Both end with an element of NULL. */
extern const struct verb verbs[];
extern const struct rule rules[];
const struct program *program(const char *name); /* NULL: unknown */

bool is(const char *a, const char *b);
const char *long_name(const struct flag *);
char short_name(const struct flag *); /* '\0': none */
bool takes_value(const struct flag *);
bool takes_file(const struct flag *);

/* "a|b|c" with another separator, in single quotes' reach: no quotes. */
void put_words(const char *list, char with);
void put_verb_names(void);
void put_rule_words(const struct rule *);

/* One file each, on standard output. */
void bash(const struct program *);
void zsh(const struct program *);
void fish(const struct program *);
/* Copies standard input; a line  .\"@ KIND PROGRAM  becomes a table. Gives an
 * exit status. */
int man(void);

#endif
