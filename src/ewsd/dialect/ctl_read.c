/*
 * ctl_read - operations that show what is: hub, agents, commands
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ewsd/core/agents.h"
#include "ewsd/core/stats.h"
#include "ewsd/dialect/ctl_priv.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/port.h"
#include "lib/prog.h"
#include "lib/str.h"

/* An answer is one line of at most 1 MiB (DESIGN 11.4): lists stop early
 * and say where to go on. */
enum { LIST_BYTES = 900 * 1024, LIST_MAX = 10000, LIST_USUAL = 100 };

struct list {
	json_t *items;
	size_t bytes, limit;
	bool cut;
};

/* Takes 'o'. False if it is full: the item is not in it. */
static bool
list_add(struct list *l, json_t *o)
{
	size_t size = json_dumpb(o, NULL, 0, JSON_COMPACT) + 1;

	if (l->bytes + size > LIST_BYTES ||
	    json_array_size(l->items) >= l->limit) {
		l->cut = true;
		json_decref(o);
		return false;
	}
	l->bytes += size;
	json_array_append_new(l->items, o);
	return true;
}

void
ctl_op_ping(struct ctl_ask *ask, const json_t *request)
{
	char now[CLOCK_TEXT_SIZE];

	(void)request;
	clock_text(now, core_wall(ask_core(ask)));
	ask_reply(ask, json_pack("{s:b,s:s}", "pong", 1, "time", now));
}

void
ctl_op_ops(struct ctl_ask *ask, const json_t *request)
{
	(void)request;
	ask_reply(ask, ctl_ops_json());
}

static json_t *
store_json(struct store *store)
{
	struct store_stats s;

	store_stats(store, &s);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "commits",
	    (json_int_t)s.commits, "writes", (json_int_t)s.writes, "failures",
	    (json_int_t)s.failures, "sync_us_last", (json_int_t)s.sync_us_last,
	    "sync_us_max", (json_int_t)s.sync_us_max, "waiting",
	    (json_int_t)s.waiting, "failing", s.failing);
}

void
ctl_op_stats(struct ctl_ask *ask, const json_t *request)
{
	const struct ctl_config *k = &ask->dialect->config;
	struct store *store = core_store(k->core);
	json_t *o, *listeners;

	(void)request;
	core_gauges(k->core);
	o = stats_json(core_stats(k->core));
	listeners = k->listeners != NULL ? k->listeners(k->arg) : json_array();
	json_object_set_new(o, "store", store_json(store));
	json_object_set_new(o, "uptime_s",
	    json_integer(
		(core_mono(k->core) - ask->dialect->started_mono) / 1000));
	json_object_set_new(o, "version", json_string(prog_version()));
	json_object_set_new(o, "hub_id", json_string(store_hub_id(store)));
	json_object_set_new(
	    o, "epoch", json_integer((json_int_t)store_epoch(store)));
	json_object_set_new(o, "pid", json_integer(getpid()));
	json_object_set_new(
	    o, "rss_bytes", json_integer((json_int_t)port_rss()));
	json_object_set_new(o, "listeners", listeners);
	ask_reply(ask, o);
}

/* ---- agents --------------------------------------------------------------- */

struct agents_list {
	struct list list;
	const char *after, *last;
};

static void
add_agent(void *arg, struct agent *a)
{
	struct agents_list *l = arg;

	if (l->list.cut || (l->after != NULL && strcmp(a->id, l->after) <= 0))
		return;
	if (list_add(&l->list, agent_json(a, false)))
		l->last = a->id;
}

void
ctl_op_agents(struct ctl_ask *ask, const json_t *request)
{
	struct agents_list l = { .list = { .limit = LIST_MAX } };
	struct err err = ERR_INIT;
	int64_t limit = LIST_MAX;
	json_t *o;

	if (!js_take_str(request, "after", &l.after, &err) ||
	    !js_take_int(request, "limit", 1, LIST_MAX, &limit, &err)) {
		ask_fail(ask, &err);
		return;
	}
	l.list.limit = (size_t)limit;
	l.list.items = json_array();
	agent_each(ask_core(ask), add_agent, &l);
	o = json_pack("{s:o}", "agents", l.list.items);
	if (l.list.cut && l.last != NULL)
		json_object_set_new(o, "next", json_string(l.last));
	ask_reply(ask, o);
}

struct agent *
ctl_take_agent(struct ctl_ask *ask, const json_t *request, struct err *err)
{
	const char *id;
	struct agent *a;

	if (!ctl_need_str(request, "agent", &id, err))
		return NULL;
	a = agent_find(ask_core(ask), id);
	if (a == NULL)
		err_set(err, EXIT_NEGATIVE, "agent_unknown",
		    "no agent named %s", id);
	return a;
}

void
ctl_op_agent(struct ctl_ask *ask, const json_t *request)
{
	struct err err = ERR_INIT;
	struct agent *a = ctl_take_agent(ask, request, &err);

	if (a == NULL)
		ask_fail(ask, &err);
	else
		ask_reply(ask, agent_json(a, true));
}

/* ---- commands -------------------------------------------------------------- */

static void
on_list(
    void *arg, const struct store_command *c, size_t n, const struct err *err)
{
	struct ctl_ask *ask = arg;
	struct list l = { .limit = LIST_MAX };
	uint64_t next = 0;
	json_t *o;

	if (!ask_stored(ask, err))
		return;
	l.items = json_array();
	for (size_t i = 0; i < n && list_add(&l, command_stored_json(&c[i]));
	     i++)
		next = c[i].seq;
	o = json_pack("{s:o}", "commands", l.items);
	/* a full page may have a next one */
	if (l.cut || (n > 0 && n >= ask->page))
		json_object_set_new(o, "next", json_integer((json_int_t)next));
	ask_reply(ask, o);
}

void
ctl_list(struct ctl_ask *ask, const json_t *request, struct store_filter *f)
{
	int64_t limit = LIST_USUAL, before = 0;
	struct err err = ERR_INIT;

	if (!js_take_int(request, "limit", 1, LIST_MAX, &limit, &err) ||
	    !js_take_int(request, "before", 0, INT64_MAX, &before, &err)) {
		ask_fail(ask, &err);
		return;
	}
	f->limit = (unsigned)limit;
	f->before_seq = (uint64_t)before;
	ask->page = f->limit;
	ask_to_store(ask);
	if (!store_list(core_store(ask_core(ask)), f, on_list, ask, &err))
		ask_store_failed(ask, &err);
}

static bool
add_state(unsigned *states, const json_t *word, struct err *err)
{
	enum command_state s;

	if (json_is_string(word) && state_from(json_string_value(word), &s)) {
		*states |= 1u << s;
		return true;
	}
	err_set(err, EXIT_DATA, "bad_argument",
	    "state: not the word of a state (ewsctl(1) lists them)");
	return false;
}

static bool
take_states(const json_t *request, unsigned *states, struct err *err)
{
	const json_t *word = js_get(request, "state");
	size_t i;
	json_t *item;

	if (word == NULL)
		return true;
	if (!json_is_array(word))
		return add_state(states, word, err);
	json_array_foreach(
	    word, i, item) if (!add_state(states, item, err)) return false;
	return true;
}

bool
ctl_take_filter(const json_t *request, struct store_filter *f, struct err *err)
{
	return js_take_str(request, "agent", &f->agent, err) &&
	       js_take_str(request, "type", &f->type, err) &&
	       take_states(request, &f->states, err);
}

void
ctl_op_commands(struct ctl_ask *ask, const json_t *request)
{
	struct store_filter f = { 0 };
	struct err err = ERR_INIT;

	if (ctl_take_filter(request, &f, &err))
		ctl_list(ask, request, &f);
	else
		ask_fail(ask, &err);
}

static void
set_parsed(json_t *o, const char *key, const char *text, size_t len)
{
	json_t *v = text != NULL ? js_read(text, len, NULL) : NULL;

	if (v != NULL)
		json_object_set_new(o, key, v);
}

/* When it was on disk: in memory until its next step. */
static void
put_stored(json_t *o, const struct command *c)
{
	json_t *history = json_object_get(o, "history");
	char at[CLOCK_TEXT_SIZE];

	if (c != NULL && c->stored_ms != 0)
		json_array_append_new(
		    history, json_pack("{s:s,s:s}", "note", "on disk", "at",
				 clock_text(at, c->stored_ms)));
}

static void
on_command(void *arg, const struct store_command *c,
    const struct store_history *h, size_t n, const struct err *err)
{
	struct ctl_ask *ask = arg;
	struct err none = ERR_INIT;
	json_t *o;

	if (!ask_from_store(ask))
		return;
	if (c == NULL) {
		err_set(&none, EXIT_NEGATIVE, "command_unknown",
		    "no command %s", ask->command_id);
		ask_fail(ask, err != NULL ? err : &none);
		return;
	}
	o = command_stored_json(c);
	set_parsed(o, "payload", c->payload, c->payload_len);
	set_parsed(o, "argv", c->argv, c->argv != NULL ? strlen(c->argv) : 0);
	json_object_set_new(o, "history", command_history_json(h, n));
	put_stored(o, command_find(ask_core(ask), c->id));
	ask_reply(ask, o);
}

void
ctl_op_command(struct ctl_ask *ask, const json_t *request)
{
	struct err err = ERR_INIT;
	const char *id;

	if (!ctl_need_str(request, "command_id", &id, &err)) {
		ask_fail(ask, &err);
		return;
	}
	str_copy(ask->command_id, sizeof ask->command_id, id);
	ask_to_store(ask);
	if (!store_get(core_store(ask_core(ask)), id, on_command, ask, &err))
		ask_store_failed(ask, &err);
}
