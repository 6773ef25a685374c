/*
 * output_end - how much of it there is, and what of it is kept
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/output_priv.h"
#include "lib/mem.h"

void
output_limit(struct command *c, int64_t out, int64_t err)
{
	if (c->output == NULL && out < 0 && err < 0)
		return;
	output_moved(c);
	if (out >= 0)
		c->output->limit[OUTPUT_STDOUT] = out;
	if (err >= 0)
		c->output->limit[OUTPUT_STDERR] = err;
}

void
output_gone(struct command *c)
{
	output_state(c)->gone = true;
}

void
output_keep(struct command *c, const struct store_kept *kept)
{
	size_t max = c->core->config.limits->output_keep;

	for (int s = 0; kept != NULL && max > 0 && s < 2; s++) {
		size_t len = kept->streams[s].len;
		size_t front = len > max ? len - max : 0;
		struct output_state *o;
		char *bytes;

		if (len == 0 || (bytes = mem_try(len - front)) == NULL)
			continue;
		o = output_state(c);
		memcpy(bytes, kept->streams[s].bytes + front, len - front);
		free(o->kept_bytes[s]);
		o->kept_bytes[s] = bytes;
		o->kept.streams[s].first =
		    kept->streams[s].first + (int64_t)front;
		o->kept.streams[s].bytes = bytes;
		o->kept.streams[s].len = len - front;
	}
}

const struct store_kept *
output_kept(const struct command *c)
{
	const struct output_state *o = c->output;

	if (o == NULL ||
	    (o->kept.streams[0].len == 0 && o->kept.streams[1].len == 0))
		return NULL;
	return &o->kept;
}

void
output_keep_free(struct command *c)
{
	struct output_state *o = c->output;

	for (int s = 0; o != NULL && s < 2; s++) {
		free(o->kept_bytes[s]);
		o->kept_bytes[s] = NULL;
		o->kept.streams[s].bytes = NULL;
		o->kept.streams[s].len = 0;
	}
}

/* How much of a stream is there to be passed on; -1: nobody knows. */
static int64_t
expected(const struct command *c, enum output_stream s)
{
	const struct store_outcome *how = &c->end->outcome;

	if (c->output != NULL && c->output->limit[s] >= 0)
		return c->output->limit[s];
	return s == OUTPUT_STDOUT ? how->stdout_bytes : how->stderr_bytes;
}

bool
watcher_pending(const struct watcher *w)
{
	return w->taken[0] < w->from[0] || w->taken[1] < w->from[1];
}

bool
output_complete(const struct command *c, const struct watcher *w)
{
	if (w->output == NULL || !c->agent->ours)
		return true;
	if (c->output != NULL && c->output->gone)
		return !watcher_pending(w);
	return w->taken[OUTPUT_STDOUT] >= expected(c, OUTPUT_STDOUT) &&
	       w->taken[OUTPUT_STDERR] >= expected(c, OUTPUT_STDERR);
}

void
output_linger(struct command *c)
{
	int64_t wait = c->core->config.limits->output_wait_ms;

	if (!(c->flags & STORE_STREAM) || wait == 0)
		return;
	output_state(c)->linger_mono = core_mono(c->core) + wait;
	watch_list(c);
}

void
output_read(struct command *c)
{
	if (c->output != NULL)
		c->output->linger_mono = 0;
}

bool
output_lingers(const struct command *c)
{
	const struct output_state *o = c->output;

	if (o == NULL || o->gone || !c->agent->ours ||
	    core_mono(c->core) >= o->linger_mono)
		return false;
	return c->end == NULL || expected(c, OUTPUT_STDOUT) > 0 ||
	       expected(c, OUTPUT_STDERR) > 0;
}
