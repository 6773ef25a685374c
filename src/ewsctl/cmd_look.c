/* verbs that only look: agents, agent, commands, command, stats, status */
#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/state.h"

static int
look(struct ask *a, json_t *request, void (*show)(const json_t *),
    struct err *err)
{
	json_t *result = ask_call(a, request, err);

	if (result == NULL)
		return err->status;
	show(result);
	json_decref(result);
	return EXIT_OK;
}

int
cmd_agents(struct ask *a, struct err *err)
{
	return look(a, json_pack("{s:s}", "op", "agents"), a->out->agents, err);
}

static json_t *
request_about(
    const char *op, const char *key, const char *value, struct err *err)
{
	json_t *request = json_pack("{s:s, s:s}", "op", op, key, value);

	if (request == NULL)
		err_set(err, EXIT_DATA, "bad_argument", "not UTF-8");
	return request;
}

int
cmd_agent(struct ask *a, struct err *err)
{
	json_t *r = request_about("agent", "agent", a->argv[0], err);

	return r == NULL ? err->status : look(a, r, a->out->agent, err);
}

int
cmd_command(struct ask *a, struct err *err)
{
	json_t *r = request_about("command", "command_id", a->argv[0], err);

	return r == NULL ? err->status : look(a, r, a->out->command, err);
}

static json_t *
wanted_states(const struct ask *a, struct err *err)
{
	static const char words[] =
#define COMMAND_STATE(name, word, end, help) " " word
#include "lib/states.def"
#undef COMMAND_STATE
	    ;
	json_t *states = json_array();

	for (size_t i = 0; i < conf_count(a->conf, SET_state); i++) {
		const char *word = conf_item(a->conf, SET_state, i);
		enum command_state state;

		if (!state_from(word, &state)) {
			err_set(err, EXIT_USAGE_, "usage",
			    "no such state: %s; there are%s", word, words);
			json_decref(states);
			return NULL;
		}
		json_array_append_new(states, json_string(word));
	}
	return states;
}

int
cmd_commands(struct ask *a, struct err *err)
{
	const char *type = conf_str(a->conf, SET_type);
	json_t *states = wanted_states(a, err), *r;

	if (states == NULL)
		return err->status;
	r = json_pack("{s:s, s:I, s:s*, s:s*, s:o}", "op", "commands", "limit",
	    (json_int_t)conf_int(a->conf, SET_limit), "agent",
	    a->argc > 0 ? a->argv[0] : NULL, "type", type, "state", states);
	if (conf_int(a->conf, SET_before) > 0)
		json_object_set_new(
		    r, "before", json_integer(conf_int(a->conf, SET_before)));
	if (json_array_size(states) == 0)
		json_object_del(r, "state");
	return look(a, r, a->out->commands, err);
}

int
cmd_stats(struct ask *a, struct err *err)
{
	return look(a, json_pack("{s:s}", "op", "stats"), a->out->object, err);
}

int
cmd_status(struct ask *a, struct err *err)
{
	return look(a, json_pack("{s:s}", "op", "status"), a->out->object, err);
}

int
cmd_ping(struct ask *a, struct err *err)
{
	return look(a, json_pack("{s:s}", "op", "ping"), a->out->object, err);
}
