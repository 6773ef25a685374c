#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "ewsd/dialect/ctl.h"
#include "ewsd/door/door_net.h"
#include "ewsd/hub.h"
#include "ewsd/settings.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/prog.h"

static const struct setting settings[] = {
#define SETTING(name, kind, flag, env, def, min, max, arg, help)               \
	{ #name, CONF_##kind, flag, env, def, min, max, arg, help },
#include "ewsd/settings.def"
#undef SETTING
};

static int
usage(void)
{
	printf("usage: ewsd [flags]\n"
	       "\n"
	       "The hub: agents connect to it, ewsctl talks to it. It stays in "
	       "the foreground\n"
	       "and stops at SIGTERM; SIGHUP reads secrets and certificates "
	       "again.\n"
	       "\n"
	       "flags (in a settings file: \"key = value\"):\n");
	conf_help(settings, SET_COUNT, stdout);
	printf(
	    "\n"
	    "examples:\n"
	    "  ewsd\n"
	    "  ewsd --listen 127.0.0.1:0 --state-dir ./state\n"
	    "  ewsd --listen 0.0.0.0:8765 --secret-file ~/.config/ews/secret\n"
	    "  ewsd --check-config\n"
	    "\n"
	    "Settings: flag > environment > file > default. "
	    "See ewsd(8), ews.conf(5).\n");
	return prog_end(EXIT_OK);
}

static int
describe_stats(void)
{
#define STAT(name, gauge, help)                                                \
	printf("%-24s %s  %s\n", #name, (gauge) ? "gauge  " : "counter", help);
#include "ewsd/core/stats.def"
#undef STAT
	return prog_end(EXIT_OK);
}

static int
describe_codes(void)
{
#define ERROR_CODE(word, status, http, meaning)                                \
	printf("%-16s exit %3d  HTTP %d  %s\n", #word, status, http, meaning);
#include "lib/codes.def"
#undef ERROR_CODE
	return prog_end(EXIT_OK);
}

static int
describe_ops(void)
{
	json_t *ops = ctl_ops_json(), *op;
	size_t i;

	json_array_foreach(json_object_get(ops, "ops"), i, op)
	    printf("%-10s %s\n", json_string_value(json_object_get(op, "op")),
		json_string_value(json_object_get(op, "help")));
	json_decref(ops);
	return prog_end(EXIT_OK);
}

static int
describe(const char *what)
{
	if (strcmp(what, "stats") == 0)
		return describe_stats();
	if (strcmp(what, "codes") == 0)
		return describe_codes();
	if (strcmp(what, "ops") == 0)
		return describe_ops();
	door_net_describe_routes(stdout);
	return prog_end(EXIT_OK);
}

static void
start_log(const struct conf *conf)
{
	enum log_level level = LOG_INFO;

	log_init("ewsd", &clock_system, 2);
	log_level_from(conf_str(conf, SET_log_level), &level);
	log_set_level(level);
	log_set_json(strcmp(conf_str(conf, SET_log_format), "json") == 0);
}

/* Every connection is a descriptor. */
static void
raise_descriptors(const struct conf *conf)
{
	rlim_t want = (rlim_t)(conf_int(conf, SET_max_connections) +
			       conf_int(conf, SET_max_control) + 64);
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur >= want)
		return;
	r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max > want
			 ? want
			 : r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1)
		log_debug("descriptors: the limit stays");
}

static int
serve(const struct conf *conf)
{
	struct err err = ERR_INIT;
	int fd = (int)conf_int(conf, SET_ready_fd);
	struct hub *h;

	start_log(conf);
	raise_descriptors(conf);
	if (!hub_check(conf, &err))
		return prog_fail(&err);
	h = hub_new(conf, &err);
	if (h == NULL)
		return prog_fail(&err);
	prog_ready(fd > 0 ? fd : -1);
	hub_run(h);
	hub_free(h);
	log_info("stopped");
	return EXIT_OK;
}

static int
check(const struct conf *conf)
{
	struct err err = ERR_INIT;

	if (!hub_check(conf, &err)) {
		prog_fail(&err);
		return EXIT_CONFIG;
	}
	return prog_end(EXIT_OK);
}

static int
run(const struct conf *conf, int argc, char **argv)
{
	const char *what = conf_str(conf, SET_describe);
	struct err err = ERR_INIT;

	if (argc > 1) {
		err_set(&err, EXIT_USAGE_, "usage",
		    "ewsd takes no arguments, only flags: %s", log_q(argv[1]));
		return prog_fail(&err);
	}
	if (strcmp(what, "none") != 0)
		return describe(what);
	if (conf_bool(conf, SET_check_config))
		return check(conf);
	if (conf_bool(conf, SET_print_config)) {
		conf_print(conf, stdout);
		return prog_end(EXIT_OK);
	}
	return serve(conf);
}

int
main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct conf *conf;
	int status;

	prog_init("ewsd");
	conf = conf_load(settings, SET_COUNT, &argc, argv, &err);
	if (conf == NULL)
		return prog_fail(&err);
	if (conf_bool(conf, SET_help)) {
		status = usage();
	} else if (conf_bool(conf, SET_version)) {
		printf("ewsd %s\n", prog_version());
		status = prog_end(EXIT_OK);
	} else {
		status = run(conf, argc, argv);
	}
	conf_free(conf);
	return status;
}
