#include <string.h>

#include "ewsctl/ask.h"
#include "ewsctl/why.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

static int
show(struct ask *a, json_t *report)
{
	a->out->why(report);
	json_decref(report);
	return EXIT_OK;
}

/* True if that is the answer: the thing, or an error that is not "there is
 * none". */
static bool
find(struct ask *a, json_t *request, const char *unknown, json_t **result,
    struct err *err)
{
	err_clear(err);
	*result = ask_call(a, request, err);
	return *result != NULL || !str_eq(err->code, unknown);
}

/* An id is one of a command, an agent or a schedule: the hub knows. */
int
cmd_why(struct ask *a, struct err *err)
{
	const char *id = a->argv[0];
	json_int_t limit = conf_int(a->conf, SET_limit);
	json_t *result = NULL, *report = NULL;

	if (!str_utf8(id, strlen(id), false))
		err_set(err, EXIT_DATA, "bad_argument", "not UTF-8");
	else if (find(a,
		     json_pack("{s:s, s:s}", "op", "command", "command_id", id),
		     "command_unknown", &result, err))
		report = result != NULL ? why_command(a, result) : NULL;
	else if (find(a,
		     json_pack("{s:s, s:s, s:I}", "op", "agent_log", "agent",
			 id, "limit", limit),
		     "agent_unknown", &result, err))
		report = result != NULL ? why_agent(result) : NULL;
	else if (find(a,
		     json_pack(
			 "{s:s, s:s}", "op", "schedule", "schedule_id", id),
		     "schedule_unknown", &result, err))
		report = result != NULL ? why_schedule(result) : NULL;
	else {
		err_clear(err);
		err_set(err, EXIT_NEGATIVE, "command_unknown",
		    "no command, agent or schedule %s", id);
	}
	return report != NULL ? show(a, report) : err->status;
}
