/*
 * ewsctl - asks a hub: send, run, look, cancel
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ewsctl/ask.h"
#include "ewsctl/cron.h"
#include "ewsctl/emit.h"
#include "lib/exit.h"
#include "lib/prog.h"
#include "lib/str.h"

const struct setting ask_settings[SETTINGS] = {
#define SETTING(name, kind, flag, env, def, min, max, arg, help)               \
	{ #name, CONF_##kind, flag, env, def, min, max, arg, help },
#include "ewsctl/settings.def"
#undef SETTING
};

const struct verb verbs[] = {
#define VERB(name, fn, args, fewest, most, complete, help, example)            \
	{ #name, fn, args, fewest, most, #complete, help, example },
#include "ewsctl/verbs.def"
#undef VERB
	{ 0 }
};

const struct verb *
verb_find(const char *name)
{
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (str_eq(v->name, name))
			return v;
	return NULL;
}

/* Behind AGENT and TYPE, everything belongs to the handler; behind the
 * agent of a tag, -WORD is no flag. */
static bool
flags_end(const struct conf *conf, int argc, char *const *argv)
{
	int type = conf_count(conf, SET_target) > 0 ? 2 : 3;

	return (argc >= type && str_eq(argv[0], "run")) ||
	       (argc >= 3 && str_eq(argv[0], "cron")) ||
	       (argc >= 2 && str_eq(argv[0], "tag"));
}

/* A filter that is silently not one would show, or drop, too much. Settings
 * of the environment and the file are for whoever knows them. */
static bool
flags_fit(const struct conf *conf, const struct verb *v, struct err *err)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &ask_settings[i];
		const char *comma = strchr(s->flag, ',');

		if (!conf_is_flag(conf, i) || verb_takes(v, s))
			continue;
		err_set(err, EXIT_USAGE_, "usage",
		    "--%s goes with ewsctl %.*s, not with %s; see ewsctl help "
		    "%s",
		    comma != NULL ? comma + 1 : s->flag,
		    (int)strcspn(s->help, ":"), s->help, v->name, v->name);
		return false;
	}
	return true;
}

static const struct verb *
verb_asked(const struct conf *conf, int argc, char **argv, struct err *err)
{
	const struct verb *v = verb_find(argv[0]);

	if (v == NULL) {
		err_set(err, EXIT_USAGE_, "usage",
		    "no such verb: %s; try ewsctl help", argv[0]);
		return NULL;
	}
	if (argc - 1 < v->fewest || (v->most >= 0 && argc - 1 > v->most)) {
		err_set(err, EXIT_USAGE_, "usage", "usage: ewsctl %s%s%s",
		    v->name, *v->args != '\0' ? " " : "", v->args);
		return NULL;
	}
	return flags_fit(conf, v, err) ? v : NULL;
}

/* The hub says what is wrong; what to do about it, a shell's user asks us. */
static void
add_advice(struct err *err, const char *verb)
{
	bool sends = str_eq(verb, "send") || str_eq(verb, "run");
	bool cancels = str_eq(verb, "cancel");
	const struct {
		const char *code, *advice;
	} table[] = {
		{ "agent_unknown",
		    sends ? "see ewsctl agents; --queue-unknown sends to one "
			    "that has yet to come"
			  : "see ewsctl agents" },
		{ "agent_absent", "try it again when it is back: ewsctl wait "
				  "agent" },
		{ "schedule_unknown", "see ewsctl schedules" },
		{ "command_unknown",
		    cancels ? "see ewsctl commands; a schedule: ewsctl "
			      "schedules cancel"
			    : "see ewsctl commands" },
		{ "unknown_op", "hub and agent have a socket each: is "
				"--socket the right one?" },
		{ "queue_full", "see ewsctl agents, and try later" },
	};
	char said[ERR_TEXT_MAX];

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (!str_eq(err->code, table[i].code) ||
		    strstr(err->text, "see ewsctl") != NULL)
			continue;
		str_copy(said, sizeof said, err->text);
		snprintf(err->text, sizeof err->text, "%.380s; %s", said,
		    table[i].advice);
	}
}

static int
run(const struct conf *conf, int argc, char **argv, struct err *err)
{
	bool json = str_eq(conf_str(conf, SET_output), "json");
	const char *jq = conf_str(conf, SET_jq);
	struct ask ask = { .conf = conf };
	const struct verb *v = verb_asked(conf, argc, argv, err);
	int status;

	if (v == NULL)
		return err->status;
	ask.out = json || jq != NULL ? &output_json : &output_text;
	ask.argc = argc - 1;
	ask.argv = argv + 1;
	if (jq != NULL && !jq_start(jq, err))
		return err->status;
	status = v->run(&ask, err);
	ctl_close(ask.ctl);
	return jq != NULL ? jq_end(status) : status;
}

/* What emit could not write, prog_end does not know of. */
static int
end(int status)
{
	struct err e = ERR_INIT;

	if (emit_failed() == 0)
		return prog_end(status);
	err_set(&e, EXIT_IO, "io", "cannot write to stdout: %s",
	    strerror(emit_failed()));
	return prog_fail(&e);
}

int
main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct conf *conf;
	int status;

	prog_init("ewsctl");
	cron_keep_environment();
	conf = conf_load_until(
	    ask_settings, SETTINGS, &argc, argv, flags_end, &err);
	if (conf == NULL)
		return prog_fail(&err);
	if (conf_bool(conf, SET_version)) {
		printf("ewsctl %s\n", prog_version());
		status = EXIT_OK;
	} else if (conf_bool(conf, SET_help)) {
		struct ask ask = {
			.conf = conf, .argc = argc - 1, .argv = argv + 1
		};

		status = cmd_help(&ask, &err);
	} else if (argc < 2) {
		err_set(&err, EXIT_USAGE_, "usage",
		    "no verb given; see ewsctl --help");
		status = err.status;
	} else {
		status = run(conf, argc - 1, argv + 1, &err);
	}
	conf_free(conf);
	if (err_isset(&err)) {
		fflush(stdout);
		add_advice(&err, argc > 1 ? argv[1] : NULL);
		prog_fail(&err);
	}
	return end(status);
}
