/*
 * ctl_agents - operations on one agent: tags, configuration, its link
 */
#include <string.h>

#include "ewsd/core/agents.h"
#include "ewsd/dialect/ctl_priv.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

#define YEAR_MS (366 * INT64_C(86400000))
enum { LOG_MAX = 10000, LOG_USUAL = 100 };

/* ---- config --------------------------------------------------------------- */

/* What agents know (PROTOCOL 2.5); a word beside these is a slip. */
static const char *const settings[] = { "sync_interval", "log_level",
	"poll_interval", "max_batch_size", "persona_id", NULL };

static bool
is_setting(const char *key)
{
	for (int i = 0; settings[i] != NULL; i++)
		if (strcmp(settings[i], key) == 0)
			return true;
	return false;
}

static bool
settings_ok(json_t *config, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(config, key, value)
	{
		if (is_setting(key))
			continue;
		err_set(err, EXIT_DATA, "bad_argument",
		    "config: agents know sync_interval, log_level, "
		    "poll_interval, max_batch_size and persona_id, not %.64s",
		    key);
		return false;
	}
	return true;
}

void
ctl_op_config(struct ctl_ask *ask, const json_t *request)
{
	json_t *config = js_get(request, "config");
	struct err err = ERR_INIT;
	struct agent *a = ctl_take_agent(ask, request, &err);

	if (a == NULL || !settings_ok(config, &err) ||
	    !agent_config(a, config, &err)) {
		ask_fail(ask, &err);
		return;
	}
	ask_reply(ask, json_pack("{s:s,s:b}", "agent", a->id, "delivered",
			   a->config == NULL));
}

/* ---- tag -------------------------------------------------------------------- */

static void
on_tagged(void *arg, const struct err *err)
{
	struct ctl_ask *ask = arg;

	if (ask_stored(ask, err))
		ask_reply(ask,
		    agent_json(agent_find(ask_core(ask), ask->agent), true));
}

void
ctl_op_tag(struct ctl_ask *ask, const json_t *request)
{
	json_t *add = NULL, *remove = NULL;
	struct err err = ERR_INIT;
	struct agent *a = ctl_take_agent(ask, request, &err);

	if (a == NULL || !js_take_array(request, "add", &add, &err) ||
	    !js_take_array(request, "remove", &remove, &err)) {
		ask_fail(ask, &err);
		return;
	}
	str_copy(ask->agent, sizeof ask->agent, a->id);
	ask_to_store(ask);
	if (!agent_tag(a, add, remove, on_tagged, ask, &err))
		ask_store_failed(ask, &err);
}

/* ---- agent_log ---------------------------------------------------------------- */

static json_t *
line_json(const struct store_agent_line *l)
{
	char at[CLOCK_TEXT_SIZE];

	return json_pack("{s:s,s:s,s:s*}", "at", clock_text(at, l->at_ms),
	    "what", l->what, "text", l->text[0] != '\0' ? l->text : NULL);
}

static void
on_lines(void *arg, const struct store_agent_line *all, size_t n,
    const struct err *err)
{
	struct ctl_ask *ask = arg;
	json_t *log;

	if (!ask_stored(ask, err))
		return;
	log = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(log, line_json(&all[i]));
	ask_reply(
	    ask, json_pack("{s:o,s:o}", "agent",
		     agent_json(agent_find(ask_core(ask), ask->agent), true),
		     "log", log));
}

void
ctl_op_agent_log(struct ctl_ask *ask, const json_t *request)
{
	struct err err = ERR_INIT;
	struct agent *a = ctl_take_agent(ask, request, &err);
	int64_t limit = LOG_USUAL;

	if (a == NULL ||
	    !js_take_int(request, "limit", 1, LOG_MAX, &limit, &err)) {
		ask_fail(ask, &err);
		return;
	}
	str_copy(ask->agent, sizeof ask->agent, a->id);
	agent_log_settle(a);
	ask_to_store(ask);
	if (!store_agent_lines(core_store(ask_core(ask)), a->id,
		(unsigned)limit, on_lines, ask, &err))
		ask_store_failed(ask, &err);
}

/* ---- wait_agent ------------------------------------------------------------------ */

static bool
is_there(const struct ctl_ask *ask)
{
	const struct agent *a = agent_find(ask_core(ask), ask->agent);

	return a != NULL && !agent_away(a);
}

static void
look(struct ctl_ask *ask)
{
	if (is_there(ask) == ask->wants_online)
		ask_reply(ask,
		    agent_json(agent_find(ask_core(ask), ask->agent), true));
}

static void
waited_too_long(struct ctl_ask *ask)
{
	const struct agent *a = agent_find(ask_core(ask), ask->agent);
	struct err err = ERR_INIT;

	if (a == NULL)
		err_set(&err, EXIT_DEADLINE, "deadline",
		    "no agent named %s has come", ask->agent);
	else
		err_set(&err, EXIT_DEADLINE, "deadline", "agent %s is still %s",
		    a->id, ask->wants_online ? "offline" : "there");
	ask_fail(ask, &err);
}

static bool
take_state(const json_t *request, bool *online, struct err *err)
{
	const char *state;

	if (!ctl_need_str(request, "state", &state, err))
		return false;
	*online = strcmp(state, "online") == 0;
	if (*online || strcmp(state, "offline") == 0)
		return true;
	err_set(
	    err, EXIT_DATA, "bad_argument", "state: must be online or offline");
	return false;
}

/* One that never came may be waited for, but only to come. */
static bool
take_awaited(struct ctl_ask *ask, const json_t *request, struct err *err)
{
	const char *id;

	if (!take_state(request, &ask->wants_online, err) ||
	    !ctl_need_str(request, "agent", &id, err))
		return false;
	if (!ask->wants_online && ctl_take_agent(ask, request, err) == NULL)
		return false;
	if (str_copy(ask->agent, sizeof ask->agent, id))
		return true;
	err_set(err, EXIT_DATA, "bad_argument", "agent: not a name");
	return false;
}

void
ctl_op_wait_agent(struct ctl_ask *ask, const json_t *request)
{
	int64_t timeout = 0, max = ask->sink.wait_max_ms;
	struct err err = ERR_INIT;

	if (!take_awaited(ask, request, &err) ||
	    !js_take_int(request, "timeout_ms", 1, YEAR_MS, &timeout, &err)) {
		ask_fail(ask, &err);
		return;
	}
	if (max > 0 && (timeout == 0 || timeout > max))
		timeout = max;
	if (timeout > 0)
		ask->deadline = core_mono(ask_core(ask)) + timeout;
	ask->on_deadline = waited_too_long;
	ask->on_tick = look;
	look(ask);
}
