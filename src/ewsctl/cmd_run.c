#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/prog.h"
#include "lib/str.h"

/* What the handler itself did not say, a person should hear. */
static void
explain(const json_t *result)
{
	const char *error = js_str(result, "error");
	const char *state = js_str(result, "state");
	bool none = str_eq(js_str(result, "reason"), "no_handler");
	struct err e = ERR_INIT;

	if (str_eq(state, "done"))
		return;
	err_set(&e, EXIT_NEGATIVE, "internal", "%s %s: %s%s%s%s",
	    js_str(result, "agent"), js_str(result, "type"), state,
	    error != NULL ? ": " : "", error != NULL ? error : "",
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

int
cmd_run(struct ask *a, struct err *err)
{
	json_t *request, *result;
	int status;

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
	result = ask_await(a, request, true, &status, err);
	if (result != NULL) {
		a->out->ended(result);
		if (!conf_bool(a->conf, SET_quiet))
			explain(result);
	}
	status = ask_report(a, result, status, err);
	json_decref(request);
	json_decref(result);
	return status;
}
