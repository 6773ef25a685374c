/*
 * ewsagent - runs, at an edge that nobody can connect to, what a hub sends
 */
#include <stdio.h>

#include "ewsagent/agent.h"
#include "ewsagent/settings.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/prog.h"
#include "lib/str.h"

static const struct setting settings[] = {
#define SETTING(name, kind, flag, env, def, min, max, arg, help)               \
	{ #name, CONF_##kind, flag, env, def, min, max, arg, help },
#include "ewsagent/settings.def"
#undef SETTING
};

static int
show_help(void)
{
	puts("usage: ewsagent [flags]\n\n"
	     "Connects out to a hub (ewsd), runs the commands that it sends as"
	     " programs of the\nhandlers directory, and tells what became of"
	     " them.\n\nflags:");
	conf_help(settings, SET_COUNT, stdout);
	puts(
	    "\nexamples:\n"
	    "  ewsagent --id mini --handlers ./handlers\n"
	    "  ewsagent --hub https://hub.example.org --id mini"
	    " --secret-file ~/.config/ews/secret\n"
	    "  ewsagent --id mini --handlers ./handlers --check-config\n\n"
	    "Settings: flag > environment > file > default. EDGE_SECRET wins"
	    " over --secret-file.\nSIGTERM ends it in good order: handlers run"
	    " on, and the next ewsagent picks them up.\nSIGHUP reads the secret"
	    " file and handlers.conf again. See ewsagent(8).");
	return EXIT_OK;
}

static void
set_log(const struct conf *c)
{
	enum log_level level;

	log_init(prog_name(), &clock_system, 2);
	if (log_level_from(conf_str(c, SET_log_level), &level))
		log_set_level(level);
	log_set_json(str_eq(conf_str(c, SET_log_format), "json"));
}

static int
serve(struct options *o, struct err *err)
{
	struct agent *a = agent_new(o, err);

	if (a == NULL)
		return prog_fail(err);
	agent_run(a, (int)conf_int(o->conf, SET_ready_fd));
	agent_free(a);
	return EXIT_OK;
}

static int
run(const struct conf *c, struct err *err)
{
	struct options o;
	int status = EXIT_OK;

	set_log(c);
	if (!options_init(&o, c, err))
		return prog_fail(err);
	if (!conf_bool(c, SET_check_config))
		status = serve(&o, err);
	options_fini(&o);
	return status;
}

int
main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct conf *c;
	int status;

	prog_init("ewsagent");
	c = conf_load(settings, SET_COUNT, &argc, argv, &err);
	if (c == NULL)
		return prog_fail(&err);
	if (conf_bool(c, SET_help)) {
		status = show_help();
	} else if (conf_bool(c, SET_version)) {
		printf("ewsagent %s\n", prog_version());
		status = EXIT_OK;
	} else if (argc > 1) {
		err_set(&err, EXIT_USAGE_, "usage",
		    "ewsagent takes no arguments, only flags: %s", argv[1]);
		status = prog_fail(&err);
	} else if (conf_bool(c, SET_print_config)) {
		conf_print(c, stdout);
		status = EXIT_OK;
	} else {
		status = run(c, &err);
	}
	conf_free(c);
	return prog_end(status);
}
