#include "ewsd/core/command.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/core_priv.h"
#include "lib/mem.h"
#include "lib/str.h"

static const struct {
	const char *word;
	enum command_priority priority;
} words[] = {
	{ "low", PRIO_LOW },
	{ "normal", PRIO_NORMAL },
	{ "high", PRIO_HIGH },
	{ "immediate", PRIO_IMMEDIATE },
	{ "deferred", PRIO_LOW },
	{ "critical", PRIO_IMMEDIATE },
};

bool
priority_from(const char *word, enum command_priority *out)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i].word, word) == 0) {
			*out = words[i].priority;
			return true;
		}
	}
	return false;
}

const char *
priority_word(enum command_priority p)
{
	return words[p].word;
}

static char *
copy(const char *bytes, size_t len)
{
	char *to = mem_try(len + 1);

	if (to != NULL)
		memcpy(to, bytes, len);
	return to;
}

/* The texts that a stranger sizes; false when memory is out. */
static bool
copy_texts(struct command *c, const struct store_command *from)
{
	const char *payload = from->payload != NULL ? from->payload : "{}";

	c->payload_len = from->payload != NULL ? from->payload_len : 2;
	c->payload = copy(payload, c->payload_len);
	if (from->argv != NULL)
		c->argv = copy(from->argv, strlen(from->argv));
	return c->payload != NULL && (from->argv == NULL || c->argv != NULL);
}

static const char *
method_word(const char *word)
{
	for (int k = LINK_WEBSOCKET; k <= LINK_POLL; k++)
		if (word != NULL && strcmp(word, link_word(k)) == 0)
			return link_word(k);
	return NULL;
}

size_t
command_weight(const struct command *c)
{
	return c->payload_len + (c->argv != NULL ? strlen(c->argv) : 0);
}

static void
count(struct command *c)
{
	struct core *core = c->core;

	c->agent->waiting++;
	c->agent->waiting_bytes += command_weight(c);
	core->waiting++;
	core->waiting_bytes += command_weight(c);
}

void
command_uncount(struct command *c)
{
	struct core *core = c->core;

	c->agent->waiting--;
	c->agent->waiting_bytes -= command_weight(c);
	core->waiting--;
	core->waiting_bytes -= command_weight(c);
}

struct command *
command_make(
    struct core *core, const struct store_command *from, struct agent *a)
{
	struct command *c = mem_alloc(sizeof *c);

	if (!copy_texts(c, from)) {
		free(c->payload);
		free(c->argv);
		free(c);
		return NULL;
	}
	c->core = core;
	c->agent = a;
	str_copy(c->id, sizeof c->id, from->id);
	str_copy(c->type, sizeof c->type, from->type);
	c->asker = mem_dup(from->asker != NULL ? from->asker : "");
	c->state = from->state;
	c->priority = (enum command_priority)from->priority;
	c->seq = from->seq;
	c->created_ms = from->created_ms;
	c->updated_ms = from->updated_ms;
	c->deadline_ms = from->deadline_ms;
	c->run_at_ms = from->run_at_ms;
	c->expires_ms = from->expires_ms;
	c->late_ms = from->late_ms;
	c->schedule = from->schedule != NULL ? mem_dup(from->schedule) : NULL;
	c->flags = from->flags;
	c->attempts = from->attempts;
	c->method = method_word(from->method);
	HASH_ADD_KEYPTR(by_id, core->by_id, c->id, strlen(c->id), c);
	count(c);
	return c;
}

/* Only what has ended, or was never accepted, gets here. */
void
command_drop(struct command *c)
{
	struct watcher *w, *next;

	DL_FOREACH_SAFE (c->watchers, w, next)
		w->command = NULL;
	command_no_tag(c);
	queue_take(c);
	planned_take(c);
	if (c->end == NULL)
		command_uncount(c);
	HASH_DELETE(by_id, c->core->by_id, c);
	if (c->end != NULL) {
		free((char *)c->end->outcome.reason);
		free((char *)c->end->outcome.error);
		free((char *)c->end->outcome.detail);
		json_decref(c->end->result);
		free(c->end);
	}
	watch_forget(c);
	output_free(c->output);
	input_free(c->input);
	free(c->payload);
	free(c->argv);
	free(c->asker);
	free(c->schedule);
	free(c);
}

struct command *
command_find(struct core *core, const char *id)
{
	struct command *c;

	HASH_FIND(by_id, core->by_id, id, strlen(id), c);
	return c;
}

struct command *
command_by_tag(struct core *core, uint64_t tag)
{
	struct command *c;

	HASH_FIND(by_tag, core->by_tag, &tag, sizeof tag, c);
	return c;
}

/* A new one for each delivery, so that the late word of an old link about
 * an earlier one finds nothing. */
void
command_new_tag(struct command *c)
{
	command_no_tag(c);
	c->tag = ++c->core->last_tag;
	HASH_ADD(by_tag, c->core->by_tag, tag, sizeof c->tag, c);
}

void
command_no_tag(struct command *c)
{
	if (c->tag == 0)
		return;
	HASH_DELETE(by_tag, c->core->by_tag, c);
	c->tag = 0;
}

void
command_tell_step(struct command *c)
{
	struct watcher *w, *next;

	/* Whoever is told may stop watching, but only itself. */
	DL_FOREACH_SAFE (c->watchers, w, next)
		if (w->told && w->step != NULL)
			w->step(w, c);
}

int64_t
command_stored_ms(struct command *c)
{
	int64_t at = c->stored_ms;

	c->stored_ms = 0;
	return at;
}

static void
take_step(
    struct command *c, struct store_step *step, store_done_fn *done, void *arg)
{
	bool told = c->state == step->state;

	step->method = c->method;
	step->at_ms = core_wall(c->core);
	step->lazy = c->agent->ours && done == NULL;
	step->stored_ms = command_stored_ms(c);
	c->state = step->state;
	c->updated_ms = step->at_ms;
	if (!store_step(c->core->config.store, c->id, step, done, arg) &&
	    done != NULL)
		done(arg, NULL); /* only a step: it may be lost */
	if (!told)
		command_tell_step(c);
}

void
command_step(struct command *c, enum command_state state, const char *note,
    store_done_fn *done, void *arg)
{
	struct store_step step = { .state = state, .note = note };

	take_step(c, &step, done, arg);
}

void
command_turned_down(struct command *c, const char *note)
{
	struct store_step step = {
		.state = CMD_ACCEPTED, .note = note, .turned_down = true
	};

	if (c->attempts > 0)
		c->attempts--;
	take_step(c, &step, NULL, NULL);
}
