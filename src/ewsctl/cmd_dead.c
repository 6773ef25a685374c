/* dead: commands that came to nothing, and what is to become of them */
#include <inttypes.h>
#include <stdio.h>

#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/prog.h"
#include "lib/state.h"
#include "lib/str.h"

enum { PAGES_MAX = 100000 };

static bool
add_states(const struct ask *a, json_t *r, struct err *err)
{
	size_t n = conf_count(a->conf, SET_state);
	json_t *list;

	if (n == 0)
		return true;
	list = json_array();
	json_object_set_new(r, "state", list);
	for (size_t i = 0; i < n; i++) {
		const char *word = conf_item(a->conf, SET_state, i);
		enum command_state state;

		if (!state_from(word, &state) || !state_is_end(state)) {
			err_set(err, EXIT_USAGE_, "usage",
			    "%s is no state that a command ends in", word);
			return false;
		}
		json_array_append_new(list, json_string(word));
	}
	if (n == 1)
		json_object_set(r, "state", json_array_get(list, 0));
	return true;
}

static bool
is_filtered(const struct ask *a)
{
	return conf_str(a->conf, SET_agent) != NULL ||
	       conf_str(a->conf, SET_type) != NULL ||
	       conf_str(a->conf, SET_reason) != NULL ||
	       conf_count(a->conf, SET_state) > 0;
}

static json_t *
filtered(const struct ask *a, const char *op, struct err *err)
{
	json_t *r = json_pack("{s:s, s:s*, s:s*, s:s*}", "op", op, "agent",
	    conf_str(a->conf, SET_agent), "type", conf_str(a->conf, SET_type),
	    "reason", conf_str(a->conf, SET_reason));

	if (add_states(a, r, err))
		return r;
	json_decref(r);
	return NULL;
}

static int
list(struct ask *a, struct err *err)
{
	json_t *r = filtered(a, "dead", err), *result;

	if (r == NULL)
		return err->status;
	json_object_set_new(
	    r, "limit", json_integer(conf_int(a->conf, SET_limit)));
	if (conf_int(a->conf, SET_before) > 0)
		json_object_set_new(
		    r, "before", json_integer(conf_int(a->conf, SET_before)));
	if ((result = ask_call(a, r, err)) == NULL)
		return err->status;
	a->out->dead(result);
	json_decref(result);
	return EXIT_OK;
}

/* The hub does so many at a time and says whether there are more. */
static int
repeat(struct ask *a, json_t *request, void (*show)(const json_t *),
    struct err *err)
{
	struct err none = ERR_INIT;
	bool more = true, some = false;

	for (int n = 0; more && n < PAGES_MAX; n++) {
		json_t *result = ask_call(a, json_incref(request), err);

		if (result == NULL)
			break;
		more = js_bool(result, "more", false);
		some = some || js_int(result, "dropped", 0) > 0 ||
		       json_array_size(js_get(result, "requeued")) > 0;
		show(result);
		json_decref(result);
	}
	json_decref(request);
	if (!some && !err_isset(err) && !conf_bool(a->conf, SET_quiet)) {
		err_set(&none, EXIT_NEGATIVE, "command_unknown",
		    "there is none: see ewsctl dead");
		prog_fail(&none);
	}
	return err->status;
}

static int
change(struct ask *a, const char *op, const char *id,
    void (*show)(const json_t *), struct err *err)
{
	bool all = conf_bool(a->conf, SET_all), some = is_filtered(a);
	json_t *r;

	if (id != NULL && (all || some))
		err_set(err, EXIT_USAGE_, "usage",
		    "an ID is one command: no --all, no filter");
	else if (id == NULL && !all)
		err_set(err, EXIT_USAGE_, "usage",
		    "usage: ewsctl dead %s ID, or --all, of which --agent, "
		    "--type, --state, --reason choose some",
		    op);
	else if (conf_is_flag(a->conf, SET_limit) ||
		 conf_is_flag(a->conf, SET_before))
		err_set(err, EXIT_USAGE_, "usage",
		    "--limit and --before are for the list: dead %s takes all "
		    "that the filters let through",
		    op);
	if (err_isset(err))
		return err->status;
	r = id != NULL ? json_pack("{s:s, s:s}", "op", op, "command_id", id)
		       : filtered(a, op, err);
	if (r == NULL) {
		err_set(err, EXIT_DATA, "bad_argument", "ID is not UTF-8");
		return err->status;
	}
	if (all)
		json_object_set_new(r, "all", json_true());
	return repeat(a, r, show, err);
}

int
cmd_dead(struct ask *a, struct err *err)
{
	const char *word = a->argc > 0 ? a->argv[0] : "list";
	const char *id = a->argc > 1 ? a->argv[1] : NULL;

	if (str_eq(word, "list") && id == NULL)
		return list(a, err);
	if (str_eq(word, "requeue"))
		return change(a, word, id, a->out->requeued, err);
	if (str_eq(word, "drop"))
		return change(a, word, id, a->out->dropped, err);
	err_set(err, EXIT_USAGE_, "usage",
	    "usage: ewsctl dead [list], or ewsctl dead requeue|drop ID, or "
	    "--all");
	return err->status;
}
