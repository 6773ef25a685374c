/*
 * output_chunk - one piece of output, to those who have not had it
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/output_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* The bytes from 'offset' on. */
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

/* What this watcher has not seen of it. What begins behind its place was on
 * its way when the agent was told to go back: it comes again. */
static void
give(struct watcher *w, struct command *c, const struct chunk *chunk)
{
	struct chunk k = *chunk;
	int64_t front = w->from[k.stream] - k.offset;

	if (w->behind || front < 0 || front >= (int64_t)k.bytes)
		return;
	if (front > 0 && !cut_front(&k, (size_t)front))
		return;
	if (!watcher_pending(w))
		w->moved_mono = core_mono(c->core);
	w->from[k.stream] = k.offset + (int64_t)k.bytes;
	w->output(w, c, k.stream, k.offset, k.data, k.len, k.b64, k.bytes);
	free(k.heap);
}

/* It begins anew (a handler that was run again), and would wait for the
 * credit of what everybody has already. */
static void
nudge(struct command *c)
{
	if (c->output->nudged)
		return; /* it is on its way */
	c->output->nudged = true;
	c->output->attached = LINK_NONE;
	output_align(c);
}

static void
pass_on(struct command *c, const struct chunk *k)
{
	struct output_state *o = c->output;
	int64_t end = k->offset + (int64_t)k->bytes;
	struct watcher *w, *next;

	c->core->stats.output_bytes += k->bytes;
	if (k->offset <= o->at[k->stream] && o->at[k->stream] < end)
		o->at[k->stream] = end;
	o->answered = true;
	output_moved(c);
	DL_FOREACH_SAFE (c->watchers, w, next)
		if (w->output != NULL)
			give(w, c, k);
	if (end <= o->credited[k->stream])
		nudge(c);
	else
		o->nudged = false;
	output_credit(c, k->stream);
}

static void
tell_stop(struct agent *a, const char *id)
{
	if (a->ops != NULL && a->ops->stop != NULL)
		a->ops->stop(a->link, id);
}

static void
judge(struct command *c, const struct chunk *k)
{
	struct output_state *o = output_state(c);

	if (!output_wanted(c)) {
		tell_stop(c->agent, c->id);
		return;
	}
	/* An agent that disregards its window would fill our memory. */
	if (k->offset + (int64_t)k->bytes >
	    o->allowed[k->stream] + OUTPUT_CHUNK) {
		c->core->stats.messages_bad++;
		log_limited(c->agent->id, LOG_WARN,
		    "agent %s: output of %s beyond its window, dropped",
		    log_q(c->agent->id), log_q(c->id));
		return;
	}
	pass_on(c, k);
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
	if (c == NULL) /* ended and forgotten, or never here */
		tell_stop(from, id);
	else if (c->agent == from)
		judge(c, &k);
}
