/*
 * conf - settings: flag > environment > file > default
 *
 * A program's settings.def is a list of SETTING lines; they become a table
 * of struct setting and an enum of indexes. Each value remembers where it
 * came from, for --print-config. The file is INI: "key = value", keys as
 * in the table, no sections needed (a section is an error, so that a typo
 * cannot hide). Values are checked when they are set, whatever their
 * source, and a wrong one names flag, variable or file:line (ABUSE 56, 57).
 * A flag given twice: the last one counts; a key twice in the file is an
 * error. An empty variable counts as unset, but a STRING becomes "": who
 * sets a secret to nothing must hear of it (ABUSE 60). In the file " #" and
 * " ;" begin a comment; a line has at most 198 bytes (the parser's limit).
 *
 * SETTING(name, KIND, flag, env, default, min, max, arg, help)
 *   name     the enum's suffix and, with "-" for "_", the key in the file
 *   KIND     STRING PATH BOOL INT SIZE SPAN WORD LIST
 *            SIZE is in bytes, SPAN in ms (input: lib/clock.h, bare numbers
 *            are seconds), WORD is one of the words in 'arg' ("text|json"),
 *            (case does not matter, conf_str gives the spelling of the
 *            table), LIST may be given again and again; in a variable and
 *            in 'default' its items stand apart by spaces
 *   flag     "listen" for --listen, or "l,listen"; "" for none
 *   env      "EWS_LISTEN" or several by comma, the first set one wins; "" none
 *   default  text, parsed like any other; "" is unset for STRING, PATH, LIST
 *   min,max  for INT, SIZE, SPAN; otherwise 0, 0
 *   arg      what --help and the manual show: "DIR", "text|json"
 *   help     one line
 */
#ifndef EWS_LIB_CONF_H
#define EWS_LIB_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

enum conf_kind {
	CONF_STRING,
	CONF_PATH,
	CONF_BOOL,
	CONF_INT,
	CONF_SIZE,
	CONF_SPAN,
	CONF_WORD,
	CONF_LIST
};

struct setting {
	const char *key;
	enum conf_kind kind;
	const char *flag, *env, *def;
	int64_t min, max;
	const char *arg, *help;
};

struct conf;

/* Reads argv (flags anywhere, "--" ends them, "--flag=value" and
 * "--flag value"; a BOOL's value is optional, "--no-flag" is false), the
 * environment, and the file named by the setting "config" (absent is fine
 * unless it was asked for). Secrets in the environment are kept and then
 * removed from it (ABUSE 59): every variable in the table is unset.
 * Positional arguments move to argv[1..]; *argc is then their number plus
 * one, and argv[*argc] is NULL. The flags --help and --version (BOOL
 * settings "help" and "version", if the table has them) only set their
 * value: then neither environment nor file are judged.
 * NULL with err (EXIT_USAGE_ for a flag, else EXIT_CONFIG). */
struct conf *conf_load(
    const struct setting *, size_t n, int *argc, char **argv, struct err *);
/* The same, but 'until' (argc and argv of the positional arguments so far)
 * may say that all the rest is positional, flags or not; NULL: never. The
 * conf has the flags so far, and nothing else. */
typedef bool conf_until_fn(const struct conf *, int argc, char *const *argv);
struct conf *conf_load_until(const struct setting *, size_t n, int *argc,
    char **argv, conf_until_fn *until, struct err *);
void conf_free(struct conf *);

/* By index in the table. Lent for the life of conf. */
const char *conf_str(const struct conf *, size_t); /* NULL if unset */
int64_t conf_int(const struct conf *, size_t); /* INT, SIZE, SPAN (ms) */
bool conf_bool(const struct conf *, size_t);
size_t conf_count(const struct conf *, size_t); /* of a LIST */
const char *conf_item(const struct conf *, size_t, size_t nth);
bool conf_is_default(const struct conf *, size_t);
bool conf_is_flag(const struct conf *, size_t); /* given on this command line */

/* "key = value   # flag --key | environment NAME | file F:12 | default";
 * secrets (keys ending in "secret", "key", "token") are not shown. */
void conf_print(const struct conf *, FILE *);
/* One aligned line a setting, for --help. */
void conf_help(const struct setting *, size_t n, FILE *);

#endif
