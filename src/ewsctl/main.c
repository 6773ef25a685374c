/*
 * ewsctl - asks a hub: send, run, look, cancel
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/prog.h"
#include "lib/str.h"

const struct setting ask_settings[SETTINGS] = {
#define SETTING(name, kind, flag, env, def, min, max, arg, help) \
	{ #name, CONF_##kind, flag, env, def, min, max, arg, help },
#include "ewsctl/settings.def"
#undef SETTING
};

const struct verb verbs[] = {
#define VERB(name, fn, args, fewest, most, complete, help, example) \
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

/* Behind AGENT and TYPE, everything belongs to the handler. */
static bool
flags_end(int argc, char *const *argv)
{
	return argc >= 3 && str_eq(argv[0], "run");
}

static const struct verb *
verb_asked(int argc, char **argv, struct err *err)
{
	const struct verb *v = verb_find(argv[0]);

	if (v == NULL) {
		err_set(err, EXIT_USAGE_, "usage",
		    "no such verb: %s; try ewsctl help", argv[0]);
		return NULL;
	}
	if (argc - 1 < v->fewest || (v->most >= 0 && argc - 1 > v->most)) {
		err_set(err, EXIT_USAGE_, "usage", "usage: ewsctl %s %s",
		    v->name, v->args);
		return NULL;
	}
	return v;
}

static int
run(const struct conf *conf, int argc, char **argv, struct err *err)
{
	bool json = str_eq(conf_str(conf, SET_output), "json");
	const char *jq = conf_str(conf, SET_jq);
	struct ask ask = { .conf = conf };
	const struct verb *v = verb_asked(argc, argv, err);
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

int
main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct conf *conf;
	int status;

	prog_init("ewsctl");
	conf = conf_load_until(ask_settings, SETTINGS, &argc, argv, flags_end,
	    &err);
	if (conf == NULL)
		return prog_fail(&err);
	if (conf_bool(conf, SET_version)) {
		printf("ewsctl %s\n", prog_version());
		status = EXIT_OK;
	} else if (argc < 2 || conf_bool(conf, SET_help)) {
		struct ask ask = { .conf = conf, .argc = argc - 1,
			.argv = argv + 1 };

		status = cmd_help(&ask, &err);
		if (argc < 2 && !conf_bool(conf, SET_help))
			status = EXIT_USAGE_;
	} else {
		status = run(conf, argc - 1, argv + 1, &err);
	}
	conf_free(conf);
	if (err_isset(&err)) {
		fflush(stdout);
		prog_fail(&err);
	}
	return prog_end(status);
}
