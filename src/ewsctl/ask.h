/*
 * ask - one invocation of ewsctl: what was asked, of whom, answered how
 */
#ifndef EWS_EWSCTL_ASK_H
#define EWS_EWSCTL_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ewsctl/output.h"
#include "lib/conf.h"
#include "lib/ctl.h"
#include "lib/err.h"

enum ask_setting {
#define SETTING(name, kind, flag, env, def, min, max, arg, help) SET_##name,
#include "ewsctl/settings.def"
#undef SETTING
	SETTINGS
};
extern const struct setting ask_settings[SETTINGS];

struct ask {
	const struct conf *conf;
	const struct output *out;
	struct ctl *ctl; /* opened by ask_hub */
	int argc; /* behind the verb */
	char **argv;
};

/* What a verb does; gives the exit status, err set or not. */
typedef int verb_fn(struct ask *, struct err *);

struct verb {
	const char *name;
	verb_fn *run;
	const char *args;
	int fewest, most;
	const char *complete, *help, *example;
};
extern const struct verb verbs[]; /* ends with a NULL name */
const struct verb *verb_find(const char *name);
/* Does the verb know this flag, its own or one of every verb? */
bool verb_takes(const struct verb *, const struct setting *);

#define VERB(name, fn, args, fewest, most, complete, help, example) verb_fn fn;
#include "ewsctl/verbs.def"
#undef VERB

/* Connects, once. False with err. */
bool ask_hub(struct ask *, struct err *);
/* One operation that answers at once: takes the request, gives the result
 * or NULL with err. */
json_t *ask_call(struct ask *, json_t *request, struct err *);
/* Monotonic deadline: now + ms. */
int64_t ask_deadline(int64_t ms);
/* A whole stdin or FILE ("-" is stdin) of at most 'max' bytes; gives. */
char *ask_slurp(const char *path, size_t max, size_t *len, struct err *);

/* The send operation as the flags say, 'agent' and 'type' and the payload
 * (may be NULL) given: gives the request, or NULL with err. It always has
 * an id (command_id, or schedule_id with --cron), so that it may be sent
 * again. */
json_t *ask_send_request(const struct ask *, const char *agent,
    const char *type, const char *payload, struct err *);

/* Are the flags of time (--at, --cron, ...) and --stdin given so that they
 * make sense together, for 'verb'? False with err. */
bool plan_ok(const struct ask *, const char *verb, struct err *);
/* Adds what they say to a send, where it has not said so itself; 'err' for
 * a --at that is no time. Not what only one command can have: --id,
 * --cron. */
bool plan_add(const struct ask *, json_t *request, struct err *);
/* --at: RFC 3339 with its offset, "@unix", or "YYYY-MM-DD HH:MM[:SS]" in
 * 'zone' (NULL: the machine's). False with err (EXIT_USAGE_). */
bool plan_time(const char *text, const char *zone, int64_t *ms, struct err *);

/* Can --result-file be written? False with err. */
bool ask_report_possible(const struct ask *, struct err *);
/* --result-file, --result-fd. The exit status, or EXIT_IO with err. */
int
ask_report(const struct ask *, const json_t *result, int status, struct err *);

/* The exit status of a command object (DESIGN 8, passthrough). */
int exit_from_command(const json_t *command);
/* Has it come to the step that was waited for, or beyond? EXIT_OK, or
 * EXIT_NEGATIVE with err: it ended before. */
int exit_from_step(const json_t *command, const char *step, struct err *);
/* What the handler itself did not say of its end, a person should hear;
 * unless --quiet. */
void ask_explain(const struct ask *, const json_t *command);
/* Who said it: "handler", "agent", "hub". */
const char *exit_source(const json_t *command);

#endif
