/*
 * output - what handlers write, passed on once and in order
 *
 * The hub keeps none of it: what a watcher has not taken yet is in that
 * watcher's hands, and an agent may be only so far ahead of the slowest.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/core_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* ews-protocol(7), limits: the window an agent may be ahead, and when it is told. */
enum { WINDOW = 256 * 1024, CHUNK_MAX = 32 * 1024, CREDIT_STEP = 32 * 1024 };

struct output_state {
	int64_t seen[2]; /* everything before was passed on */
	int64_t credited[2]; /* the agent was told */
	int64_t kept[2]; /* no more will come; -1: all that was written */
};

static struct output_state *
state_of(struct command *c)
{
	if (c->output == NULL) {
		c->output = mem_alloc(sizeof *c->output);
		c->output->kept[OUTPUT_STDOUT] = -1;
		c->output->kept[OUTPUT_STDERR] = -1;
	}
	return c->output;
}

void
output_free(struct output_state *o)
{
	free(o);
}

void
output_watch(struct command *c, struct watcher *w)
{
	for (int s = 0; s < 2; s++)
		w->taken[s] = c->output != NULL ? c->output->seen[s] : 0;
}

void
output_kept(struct command *c, int64_t out, int64_t err)
{
	if (out < 0 && err < 0)
		return;
	state_of(c)->kept[OUTPUT_STDOUT] = out;
	c->output->kept[OUTPUT_STDERR] = err;
}

/* How much of a stream is there to be passed on. */
static int64_t
expected(const struct command *c, enum output_stream s, int64_t written)
{
	if (c->output != NULL && c->output->kept[s] >= 0)
		return c->output->kept[s];
	return written;
}

bool
output_complete(const struct command *c, const struct watcher *w)
{
	const struct store_outcome *how = &c->end->outcome;

	if (w->output == NULL || !(c->flags & STORE_STREAM) ||
	    !c->agent->ours || c->loaded)
		return true; /* an earlier hub may have passed it on */
	return w->taken[OUTPUT_STDOUT] >=
		   expected(c, OUTPUT_STDOUT, how->stdout_bytes) &&
	       w->taken[OUTPUT_STDERR] >=
		   expected(c, OUTPUT_STDERR, how->stderr_bytes);
}

/* How far everybody is who wants it. */
static int64_t
taken(const struct command *c, enum output_stream s)
{
	int64_t least = c->output->seen[s];
	const struct watcher *w;

	DL_FOREACH (c->watchers, w)
		if (w->output != NULL && w->taken[s] < least)
			least = w->taken[s];
	return least;
}

static void
tell_agent(const struct command *c, enum output_stream s, int64_t offset)
{
	struct agent *a = c->agent;

	if (a->ops != NULL && a->ops->credit != NULL)
		a->ops->credit(a->link, c, s, offset);
}

void
output_credit(struct command *c, enum output_stream s)
{
	struct output_state *o = c->output;
	int64_t upto;

	if (o == NULL)
		return;
	upto = taken(c, s);
	if (upto <= o->credited[s] ||
	    (upto < o->seen[s] && upto - o->credited[s] < CREDIT_STEP))
		return;
	o->credited[s] = upto;
	tell_agent(c, s, upto);
}

void
watcher_took(struct watcher *w, enum output_stream s, int64_t offset)
{
	struct command *c = w->command;

	if (c == NULL || offset <= w->taken[s])
		return;
	w->taken[s] = offset;
	output_credit(c, s);
	command_settle(c); /* it may have waited for this */
}

/* One chunk for the watchers, the bytes from 'offset' on. */
struct chunk {
	enum output_stream stream;
	int64_t offset;
	const char *data;
	size_t len, bytes;
	bool b64;
	char *heap; /* freed afterwards; or NULL */
};

/* Cuts what was seen already off the front. The rest may begin inside of a
 * character: then it becomes base64. */
static bool
cut_front(struct chunk *k, size_t front)
{
	char *raw = mem_try(k->bytes + 1);
	size_t len = k->bytes;

	if (raw == NULL)
		return false;
	if (!k->b64)
		memcpy(raw, k->data, k->bytes);
	else if (!str_unb64(raw, k->bytes, k->data, &len)) {
		free(raw);
		return false;
	}
	k->offset += (int64_t)front;
	k->bytes = len - front;
	k->b64 = !str_utf8(raw + front, k->bytes, false);
	if (k->b64) {
		k->heap = str_b64(raw + front, k->bytes);
		free(raw);
		k->data = k->heap;
		k->len = strlen(k->heap);
	} else {
		k->heap = raw;
		k->data = raw + front;
		k->len = k->bytes;
	}
	return true;
}

static void
pass_on(struct command *c, const struct chunk *k)
{
	struct watcher *w, *next;
	bool wanted = false;

	c->core->stats.output_bytes += k->bytes;
	c->output->seen[k->stream] = k->offset + (int64_t)k->bytes;
	DL_FOREACH_SAFE (c->watchers, w, next) {
		if (w->output == NULL)
			continue;
		wanted = true;
		w->output(w, c, k->stream, k->offset, k->data, k->len, k->b64,
		    k->bytes);
	}
	if (!wanted)
		output_credit(c, k->stream);
}

/* An agent that disregards its window would fill our memory. */
static bool
within_window(const struct command *c, const struct chunk *k)
{
	int64_t end = k->offset + (int64_t)k->bytes;
	int64_t from = c->output->credited[k->stream];

	if (k->offset < from)
		return true;
	if (taken(c, k->stream) == c->output->seen[k->stream])
		return true; /* nothing of it is held here */
	return end - from <= WINDOW + CHUNK_MAX;
}

static void
judge(struct command *c, struct chunk *k)
{
	struct output_state *o = state_of(c);
	int64_t *seen = &o->seen[k->stream];

	if (!within_window(c, k)) {
		c->core->stats.messages_bad++;
		log_limited(c->agent->id, LOG_WARN,
		    "agent %s: output of %s beyond its window, dropped",
		    log_q(c->agent->id), log_q(c->id));
		return;
	}
	if (k->offset + (int64_t)k->bytes <= *seen) {
		tell_agent(c, k->stream, o->credited[k->stream]);
		return;
	}
	/* A gap: an earlier hub passed on what is missing. */
	if (k->offset < *seen && !cut_front(k, (size_t)(*seen - k->offset)))
		return;
	pass_on(c, k);
	free(k->heap);
}

/* Not in memory: ended and forgotten, or never here. Nobody waits for it. */
static void
credit_unknown(
    struct agent *a, const char *id, enum output_stream s, int64_t offset)
{
	struct command nobody = { .core = a->core, .agent = a };

	if (str_copy(nobody.id, sizeof nobody.id, id))
		tell_agent(&nobody, s, offset);
}

void
command_output(struct core *core, struct agent *from, const char *id,
    enum output_stream stream, int64_t offset, const char *data, size_t len,
    bool b64, size_t bytes)
{
	struct chunk k = { stream, offset, data, len, bytes, b64, NULL };
	struct command *c = command_find(core, id);

	if (offset < 0 || bytes == 0 || offset > INT64_MAX - (1 << 30))
		return;
	if (c == NULL)
		credit_unknown(from, id, stream, offset + (int64_t)bytes);
	else if (c->agent == from)
		judge(c, &k);
}
