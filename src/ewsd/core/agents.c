#include "ewsd/core/agents.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/core_priv.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* Who polled within this time is polling; three of the longest usual
 * intervals (PROTOCOL 2.9). */
enum { POLLING_MS = 180 * 1000, CONFIG_MAX = 64 * 1024 };

const char *
link_word(enum link_kind kind)
{
	static const char *const kinds[] = { "none", "websocket", "http" };

	return kinds[kind];
}

struct agent *
agent_find(struct core *core, const char *id)
{
	struct agent *a;

	HASH_FIND_STR(core->agents, id, a);
	return a;
}

static struct agent *
make(struct core *core, const char *id)
{
	struct agent *a = mem_alloc(sizeof *a);

	a->core = core;
	str_copy(a->id, sizeof a->id, id);
	a->window = core->config.limits->inflight;
	a->queues = mem_alloc(sizeof *a->queues);
	a->first_ms = a->last_ms = core_wall(core);
	HASH_ADD_STR(core->agents, id, a);
	core->stats.agents_known = HASH_COUNT(core->agents);
	return a;
}

struct agent *
agent_get(struct core *core, const char *id, struct err *err)
{
	struct agent *a = agent_find(core, id);

	if (a != NULL)
		return a;
	if (!id_name_ok(id)) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "agent: not a name (1 to %d bytes, no \"/\", no control "
		    "characters)",
		    ID_NAME_MAX);
		return NULL;
	}
	if (HASH_COUNT(core->agents) >= core->config.limits->agents) {
		err_set(err, EXIT_RETRY, "too_many",
		    "%zu agents are known, that is the limit",
		    core->config.limits->agents);
		return NULL;
	}
	a = make(core, id);
	agent_save(a);
	return a;
}

void
agent_free(struct agent *a)
{
	HASH_DEL(a->core->agents, a);
	json_decref(a->about);
	json_decref(a->status);
	json_decref(a->config);
	json_decref(a->tags);
	free(a->queues);
	free(a->flap);
	free(a->lines);
	free(a);
}

void
agent_save(struct agent *a)
{
	char *about = a->about != NULL ? js_write(a->about) : NULL;
	char *config = a->config != NULL ? js_write(a->config) : NULL;
	struct store_agent sa = { .id = a->id,
		.instance = a->ours ? a->instance : "",
		.about = about,
		.config = config != NULL ? config : "",
		.first_ms = a->first_ms,
		.last_ms = a->last_ms };

	if (!store_agent(a->core->config.store, &sa, NULL, NULL))
		log_limited("agents", LOG_WARN,
		    "agent %s: the store has no room to note it", log_q(a->id));
	free(about);
	free(config);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    (*(struct agent *const *)a)->id, (*(struct agent *const *)b)->id);
}

void
agent_each(struct core *core, agent_fn *fn, void *arg)
{
	size_t n = HASH_COUNT(core->agents), i = 0;
	struct agent **all = mem_alloc((n + 1) * sizeof(struct agent *));
	struct agent *a;

	for (a = core->agents; a != NULL; a = a->hh.next)
		all[i++] = a;
	qsort(all, n, sizeof *all, by_name);
	for (i = 0; i < n; i++)
		fn(arg, all[i]);
	free(all);
}

bool
agent_can(const struct agent *a, const char *what)
{
	const json_t *word;
	size_t i;

	if (!a->ours || a->about == NULL)
		return a->ours;
	json_array_foreach(js_get(a->about, "can"), i, word)
	{
		if (str_eq(json_string_value(word), what))
			return true;
	}
	return false;
}

void
agent_heard(struct agent *a)
{
	a->last_ms = core_wall(a->core);
	a->messages_in++;
	a->core->stats.messages_in++;
}

bool
agent_config(struct agent *a, const json_t *update, struct err *err)
{
	json_t *merged;

	if (!json_is_object(update)) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "config: must be an object");
		return false;
	}
	merged = a->config != NULL ? json_copy(a->config) : json_object();
	json_object_update(merged, (json_t *)update);
	if (json_dumpb(merged, NULL, 0, JSON_COMPACT) > CONFIG_MAX) {
		err_set(err, EXIT_DATA, "too_large",
		    "config: more than %d bytes would wait for %s", CONFIG_MAX,
		    a->id);
		json_decref(merged);
		return false;
	}
	json_decref(a->config);
	a->config = merged;
	agent_pump(a);
	if (a->config != NULL)
		agent_save(a);
	return true;
}

bool
agent_polls(const struct agent *a)
{
	return a->kind == LINK_POLL ||
	       (a->kind == LINK_NONE && a->polled_ms != 0 &&
		   core_wall(a->core) - a->polled_ms < POLLING_MS);
}

/* ---- from the store --------------------------------------------------- */

static json_t *
read_object(const char *text)
{
	return text != NULL && *text != '\0'
		   ? js_read_object(text, strlen(text), NULL)
		   : NULL;
}

static void
load_agent(void *arg, const struct store_agent *sa)
{
	struct agent *a = make(arg, sa->id);

	a->first_ms = sa->first_ms;
	a->last_ms = sa->last_ms;
	a->ours = sa->instance != NULL && *sa->instance != '\0';
	if (a->ours)
		str_copy(a->instance, sizeof a->instance, sa->instance);
	a->about = read_object(sa->about);
	a->config = read_object(sa->config);
	if (sa->tags != NULL)
		a->tags = js_read(sa->tags, strlen(sa->tags), NULL);
}

/* Sent by an earlier hub, and not acknowledged: the same rules as when a
 * link goes. */
static void
load_sent(struct command *c)
{
	queue_sent(c, PLACE_SENT);
	c->written = true;
	if (c->state == CMD_DELIVERED)
		link_lost(c, "the hub was restarted");
}

static void
load_command(void *arg, const struct store_command *sc)
{
	struct core *core = arg;
	struct agent *a;
	struct command *c;

	if (sc->state == CMD_DEAD) {
		log_error(
		    "command %s for %s: its stored copy is damaged; it is "
		    "dead and will not be delivered",
		    log_q(sc->id), log_q(sc->agent));
		return;
	}
	a = agent_find(core, sc->agent);
	if (a == NULL)
		a = make(core, sc->agent);
	c = command_make(core, sc, a);
	if (c == NULL)
		abort(); /* start-up: nobody waits for an answer */
	c->stored = c->loaded = true;
	c->stored_once = !a->ours && sc->state == CMD_RECEIVED;
	output_linger(c); /* its reader may come back */
	input_expect(c);
	if (sc->state == CMD_SCHEDULED)
		planned_put(c);
	else if (sc->state == CMD_ACCEPTED)
		queue_put(c);
	else
		load_sent(c);
}

bool
core_load(struct core *core, struct err *err)
{
	return store_load_agents(core->config.store, load_agent, core, err) &&
	       store_load(core->config.store, load_command, core, err) &&
	       schedules_load(core, err);
}
