/* verbs about what is yet to come: schedules, wait; and tag */
#include <string.h>

#include "ewsctl/ask.h"
#include "ewsctl/session.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

static int
answer(struct ask *a, json_t *request, void (*show)(const json_t *),
    struct err *err)
{
	json_t *result;

	if (request == NULL) {
		err_set(err, EXIT_DATA, "bad_argument", "not UTF-8");
		return err->status;
	}
	if ((result = ask_call(a, request, err)) == NULL)
		return err->status;
	show(result);
	json_decref(result);
	return EXIT_OK;
}

static json_t *
list_request(const struct ask *a)
{
	return json_pack("{s:s, s:s*, s:I}", "op", "schedules", "agent",
	    conf_str(a->conf, SET_agent), "limit",
	    (json_int_t)conf_int(a->conf, SET_limit));
}

/* The hub says what it is now; what was done to it, we do. */
static int
plan(struct ask *a, const char *op, const char *done, struct err *err)
{
	json_t *r =
	    json_pack("{s:s, s:s}", "op", op, "schedule_id", a->argv[1]);
	json_t *result;

	if (done == NULL || r == NULL)
		return answer(a, r, a->out->schedule, err);
	if ((result = ask_call(a, r, err)) == NULL)
		return err->status;
	if (js_get(result, "answer") == NULL)
		json_object_set_new(result, "answer", json_string(done));
	if (str_eq(js_str(result, "answer"), "cancelled"))
		json_object_set_new(result, "next", json_null());
	a->out->planned(result);
	json_decref(result);
	return EXIT_OK;
}

int
cmd_schedules(struct ask *a, struct err *err)
{
	static const struct {
		const char *word, *op, *done;
	} words[] = {
		{ "show", "schedule", NULL },
		{ "pause", "schedule_pause", "paused" },
		{ "resume", "schedule_resume", "resumed" },
		{ "cancel", "schedule_cancel", "cancelled" },
	};
	const char *word = a->argc > 0 ? a->argv[0] : "list";

	if (str_eq(word, "list") && a->argc < 2)
		return answer(a, list_request(a), a->out->schedules, err);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (a->argc == 2 && str_eq(word, words[i].word))
			return plan(a, words[i].op, words[i].done, err);
	err_set(err, EXIT_USAGE_, "usage",
	    "usage: ewsctl schedules [list], or ewsctl schedules "
	    "show|pause|resume|cancel ID");
	return err->status;
}

/* ---- wait ----------------------------------------------------------------- */

static bool
is_one_of(const char *word, const char *const *list)
{
	for (; *list != NULL; list++)
		if (str_eq(word, *list))
			return true;
	return false;
}

static bool
state_ok(const char *what, const char *state, struct err *err)
{
	static const char *const agent[] = { "online", "offline", NULL };
	static const char *const command[] = { "accepted", "delivered",
		"received", "started", "done", NULL };
	bool is_agent = str_eq(what, "agent");

	if (!is_agent && !str_eq(what, "command"))
		err_set(err, EXIT_USAGE_, "usage",
		    "usage: ewsctl wait agent ID [online|offline], or ewsctl "
		    "wait command ID [accepted|delivered|received|started|"
		    "done]");
	else if (is_one_of(state, is_agent ? agent : command))
		return true;
	else
		err_set(err, EXIT_USAGE_, "usage",
		    "%s is no step to wait for: %s", state,
		    is_agent ? "online or offline"
			     : "accepted, delivered, received, started or "
			       "done");
	return false;
}

int
cmd_wait(struct ask *a, struct err *err)
{
	bool agent = str_eq(a->argv[0], "agent");
	const char *id = a->argv[1];
	const char *state = a->argc > 2 ? a->argv[2]
			    : agent     ? "online"
					: "done";
	json_t *request, *result;
	int status;

	if (!state_ok(a->argv[0], state, err))
		return err->status;
	request = json_pack("{s:s, s:s, s:s}", "op",
	    agent ? "wait_agent" : "watch", agent ? "agent" : "command_id", id,
	    agent ? "state" : "wait", state);
	if (request == NULL) {
		err_set(err, EXIT_DATA, "bad_argument", "ID is not UTF-8");
		return err->status;
	}
	result = session_run(
	    a, request, agent ? NULL : id, SESSION_JOINS, &status, err);
	json_decref(request);
	if (result == NULL)
		return status;
	a->out->waited(result);
	if (!agent)
		status = exit_from_step(result, state, err);
	json_decref(result);
	return status;
}

/* ---- tag ------------------------------------------------------------------ */

int
cmd_tag(struct ask *a, struct err *err)
{
	json_t *add = json_array(), *take = json_array();

	for (int i = 1; i < a->argc; i++) {
		const char *word = a->argv[i];

		if ((*word == '+' || *word == '-') && word[1] != '\0') {
			json_array_append_new(
			    *word == '+' ? add : take, json_string(word + 1));
			continue;
		}
		err_set(err, EXIT_USAGE_, "usage",
		    "%s: +WORD gives a tag, -WORD takes it away", word);
		json_decref(add);
		json_decref(take);
		return err->status;
	}
	return answer(a,
	    json_pack("{s:s, s:s, s:o, s:o}", "op", "tag", "agent", a->argv[0],
		"add", add, "remove", take),
	    a->out->tagged, err);
}
