#include "ewsctl/ask.h"
#include "ewsctl/fan.h"
#include "ewsctl/lines.h"
#include "ewsctl/session.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

static json_t *
handler_args(const struct ask *a, struct err *err)
{
	json_t *argv = json_array();

	for (size_t i = 0; i < conf_count(a->conf, SET_arg); i++) {
		if (json_array_append_new(
			argv, json_string(conf_item(a->conf, SET_arg, i))) == 0)
			continue;
		err_set(err, EXIT_DATA, "bad_argument", "--arg is not UTF-8");
		json_decref(argv);
		return NULL;
	}
	return argv;
}

static int
send_one(struct ask *a, struct err *err)
{
	const char *wait = conf_str(a->conf, SET_wait);
	unsigned flags = str_eq(wait, "done") ? SESSION_HANDLER : 0;
	json_t *request, *argv, *result;
	int status;

	request = ask_send_request(
	    a, a->argv[0], a->argv[1], a->argc > 2 ? a->argv[2] : NULL, err);
	if (request == NULL)
		return err->status;
	if ((argv = handler_args(a, err)) == NULL) {
		json_decref(request);
		return err->status;
	}
	json_object_set_new(request, "argv", argv);
	if (js_get(request, "cron") == NULL)
		json_object_set_new(request, "wait", json_string(wait));
	if (conf_bool(a->conf, SET_stdin))
		flags |= SESSION_STDIN;
	result = session_run(
	    a, request, js_str(request, "command_id"), flags, &status, err);
	if (result != NULL)
		a->out->receipt(result);
	if (result != NULL && flags & SESSION_HANDLER)
		ask_explain(a, result);
	else if (result != NULL && status == EXIT_OK)
		status = exit_from_step(result, wait, err);
	status = ask_report(a, result, status, err);
	json_decref(request);
	json_decref(result);
	return status;
}

int
cmd_send(struct ask *a, struct err *err)
{
	const char *file = conf_str(a->conf, SET_lines);

	if (!plan_ok(a, "send", err))
		return err->status;
	if (conf_count(a->conf, SET_target) > 0)
		return fan_send(a, err);
	if (file != NULL && a->argc == 0)
		return lines_send(a, file, err);
	if (file == NULL && a->argc >= 2)
		return send_one(a, err);
	err_set(err, EXIT_USAGE_, "usage",
	    "usage: ewsctl send AGENT TYPE [PAYLOAD], or ewsctl send --lines "
	    "FILE");
	return err->status;
}
