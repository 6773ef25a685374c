/* verbs that stay until a command has ended: run, attach */
#include "ewsctl/ask.h"
#include "ewsctl/fan.h"
#include "ewsctl/session.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/prog.h"
#include "lib/str.h"

void
ask_explain(const struct ask *a, const json_t *result)
{
	const char *error = js_str(result, "error");
	const char *state = js_str(result, "state");
	bool none = str_eq(js_str(result, "reason"), "no_handler");
	struct err e = ERR_INIT;

	if (conf_bool(a->conf, SET_quiet) || state == NULL ||
	    str_eq(state, "done"))
		return;
	if (error != NULL && str_starts(error, state))
		state = "";
	err_set(&e, EXIT_NEGATIVE, "internal", "%s %s: %s%s%s%s",
	    js_str(result, "agent"), js_str(result, "type"), state,
	    error != NULL && *state != '\0' ? ": " : "",
	    error != NULL ? error : "",
	    none ? "; see Handlers in ewsagent(8)" : "");
	prog_fail(&e);
}

static bool
add_args(json_t *request, int argc, char **argv, struct err *err)
{
	json_t *list = json_array();

	json_object_set_new(request, "argv", list);
	for (int i = 0; i < argc; i++) {
		if (json_array_append_new(list, json_string(argv[i])) == 0)
			continue;
		err_set(err, EXIT_DATA, "bad_argument",
		    "argument %d is not UTF-8", i + 1);
		return false;
	}
	return true;
}

/* Shows how it ended, to the shell too. */
static int
finish(struct ask *a, const json_t *result, int status, struct err *err)
{
	if (result != NULL) {
		a->out->ended(result);
		ask_explain(a, result);
	}
	return ask_report(a, result, status, err);
}

int
cmd_run(struct ask *a, struct err *err)
{
	unsigned flags = SESSION_HANDLER | SESSION_INTERRUPT;
	json_t *request, *result;
	int status;

	if (!plan_ok(a, "run", err))
		return err->status;
	if (conf_count(a->conf, SET_target) > 0)
		return fan_run(a, err);
	if (a->argc < 2) {
		err_set(err, EXIT_USAGE_, "usage",
		    "usage: ewsctl run AGENT TYPE [ARG...]");
		return err->status;
	}
	request = ask_send_request(
	    a, a->argv[0], a->argv[1], conf_str(a->conf, SET_payload), err);
	if (request == NULL)
		return err->status;
	if (!add_args(request, a->argc - 2, a->argv + 2, err)) {
		json_decref(request);
		return err->status;
	}
	json_object_set_new(request, "wait", json_string("done"));
	json_object_set_new(request, "stream", json_true());
	if (conf_bool(a->conf, SET_stdin))
		flags |= SESSION_STDIN;
	result = session_run(
	    a, request, js_str(request, "command_id"), flags, &status, err);
	status = finish(a, result, status, err);
	json_decref(request);
	json_decref(result);
	return status;
}

int
cmd_attach(struct ask *a, struct err *err)
{
	unsigned flags = SESSION_HANDLER | SESSION_JOINS;
	json_t *request, *result;
	int status;

	request = json_pack("{s:s, s:s, s:s, s:b, s:i, s:i}", "op", "watch",
	    "command_id", a->argv[0], "wait", "done", "stream", 1,
	    "stdout_from", 0, "stderr_from", 0);
	if (request == NULL || !ask_report_possible(a, err)) {
		err_set(err, EXIT_DATA, "bad_argument", "ID is not UTF-8");
		json_decref(request);
		return err->status;
	}
	if (conf_bool(a->conf, SET_stdin)) {
		json_object_set_new(request, "stdin", json_true());
		flags |= SESSION_STDIN;
	}
	result = session_run(a, request, a->argv[0], flags, &status, err);
	status = finish(a, result, status, err);
	json_decref(request);
	json_decref(result);
	return status;
}
