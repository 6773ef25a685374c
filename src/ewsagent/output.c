#include "ewsagent/output.h"

#include <stdlib.h>
#include <utlist.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { CHUNK_MIN = 1024, CHUNK_MAX = 1 << 20 };

static const char *const words[OUTPUT_STREAMS] = { "stdout", "stderr" };

struct way {
	struct spool *spool;
	uint64_t sent, acked;
};

struct output {
	struct outputs *set;
	struct output *prev, *next; /* streamed ones, next to send first */
	struct output *older, *younger; /* ended and not done, by end */
	char *id;
	void *owner;
	bool stream, ended;
	bool lost; /* dropped while the hub wanted it */
	struct way ways[OUTPUT_STREAMS];
};

struct outputs {
	struct outputs_config config;
	struct spools *spools;
	struct output *list, *ended;
	size_t n_ended;
	char *buf; /* one chunk */
	bool blocked;
};

int
output_stream(const char *word)
{
	int i;

	for (i = 0; i < OUTPUT_STREAMS; i++) {
		if (str_eq(word, words[i]))
			return i;
	}
	return -1;
}

/* How many of the n bytes at the front of the buffer make the next chunk:
 * a cut character waits for its rest, while one may come. */
static size_t
chunk_end(const struct outputs *set, const struct way *w, size_t n)
{
	bool last =
	    spool_final(w->spool) && w->sent + n == spool_kept(w->spool);

	return last ? n : str_utf8_cut(set->buf, n);
}

static json_t *
chunk(const struct output *o, int i, size_t n)
{
	json_t *data = json_object();
	const char *bytes = o->set->buf;
	char *text;

	json_object_set_new(data, "command_id", json_string(o->id));
	json_object_set_new(data, "stream", json_string(words[i]));
	json_object_set_new(
	    data, "offset", json_integer((json_int_t)o->ways[i].sent));
	if (str_utf8(bytes, n, false)) {
		json_object_set_new(
		    data, "data", json_stringn_nocheck(bytes, n));
		return data;
	}
	text = str_b64(bytes, n);
	json_object_set_new(data, "data64", json_string_nocheck(text));
	free(text);
	return data;
}

/* How much the hub's credit and the spool allow. */
static size_t
sendable(const struct outputs *set, const struct way *w)
{
	uint64_t n = spool_kept(w->spool) - w->sent;
	uint64_t credit = w->acked + set->config.window;

	if (w->sent >= credit)
		return 0;
	if (n > credit - w->sent)
		n = credit - w->sent;
	return n < set->config.chunk ? (size_t)n : set->config.chunk;
}

/* Sends one chunk of stream i, if there is one to send. */
static bool
send_chunk(struct output *o, int i)
{
	struct outputs *set = o->set;
	struct way *w = &o->ways[i];
	size_t n = sendable(set, w);
	json_t *data;

	if (n == 0 || set->blocked)
		return false;
	n = spool_read(w->spool, w->sent, set->buf, n);
	n = n == 0 ? 0 : chunk_end(set, w, n);
	if (n == 0)
		return false;
	data = chunk(o, i, n);
	set->blocked = !set->config.send(set->config.arg, data);
	json_decref(data);
	if (!set->blocked)
		w->sent += n;
	return !set->blocked;
}

/* Who sent goes to the end: all others come first. */
static void
pump(struct outputs *set)
{
	struct output *o = set->list, *next, *first = NULL;

	while (o != NULL && o != first && !set->blocked) {
		bool out = send_chunk(o, OUTPUT_STDOUT);
		bool sent = send_chunk(o, OUTPUT_STDERR) || out;

		next = o->next;
		if (sent) {
			DL_DELETE(set->list, o);
			DL_APPEND(set->list, o);
			first = NULL;
			o = next != NULL ? next : set->list;
			continue;
		}
		if (first == NULL)
			first = o; /* a round without success ends it */
		o = next != NULL ? next : set->list;
	}
}

bool
output_done(const struct output *o)
{
	int i;

	if (!o->ended)
		return false;
	for (i = 0; o->stream && i < OUTPUT_STREAMS; i++) {
		if (o->ways[i].acked < spool_kept(o->ways[i].spool))
			return false;
	}
	return true;
}

static void
forget(struct output *o)
{
	if (o->stream)
		DL_DELETE(o->set->list, o);
	if (o->stream && o->ended) {
		/* NOLINTNEXTLINE(*-core.NullDereference): a ring behind */
		DL_DELETE2(o->set->ended, o, older, younger);
		o->set->n_ended--;
	}
	o->stream = false;
}

static void
drop(struct output *o)
{
	int i;

	forget(o);
	for (i = 0; i < OUTPUT_STREAMS; i++)
		spool_drop(o->ways[i].spool);
}

static void
tell_done(struct output *o)
{
	drop(o);
	o->set->config.done(o->set->config.arg, o->owner);
}

static bool
drop_oldest(void *arg)
{
	struct outputs *set = arg;
	struct output *o = set->ended;

	if (o == NULL)
		return false;
	log_warn("spool: the output of command %s is dropped: no room",
	    log_q(o->id));
	o->lost = true;
	tell_done(o);
	return true;
}

struct outputs *
outputs_new(const struct outputs_config *config, struct err *err)
{
	struct outputs *set = mem_alloc(sizeof *set);

	set->config = *config;
	set->spools =
	    spools_new(config->dir, config->max, drop_oldest, set, err);
	if (set->spools == NULL) {
		free(set);
		return NULL;
	}
	outputs_limits(set, config->chunk, config->window);
	return set;
}

void
outputs_free(struct outputs *set)
{
	if (set == NULL)
		return;
	spools_free(set->spools);
	free(set->buf);
	free(set);
}

uint64_t
outputs_bytes(const struct outputs *set)
{
	return spools_bytes(set->spools);
}

size_t
outputs_unsent(const struct outputs *set)
{
	return set->n_ended;
}

void
outputs_limits(struct outputs *set, size_t chunk_size, size_t window)
{
	chunk_size = chunk_size < CHUNK_MIN ? CHUNK_MIN : chunk_size;
	chunk_size = chunk_size > CHUNK_MAX ? CHUNK_MAX : chunk_size;
	set->config.chunk = chunk_size;
	set->config.window = window < chunk_size ? chunk_size : window;
	set->buf = mem_realloc(set->buf, chunk_size);
	pump(set);
}

void
outputs_room(struct outputs *set)
{
	set->blocked = false;
	pump(set);
}

void
outputs_resend(struct outputs *set)
{
	struct output *o;
	int i;

	DL_FOREACH (set->list, o) {
		for (i = 0; i < OUTPUT_STREAMS; i++)
			o->ways[i].sent = o->ways[i].acked;
	}
	outputs_room(set);
}

struct output *
output_new(struct outputs *set, const char *id, bool stream, void *owner)
{
	struct output *o = mem_alloc(sizeof *o);
	uint64_t keep = stream ? set->config.keep : 0;

	o->set = set;
	o->id = mem_dup(id);
	o->stream = stream;
	o->owner = owner;
	o->ways[0].spool = spool_new(set->spools, id, "out", keep);
	o->ways[1].spool = spool_new(set->spools, id, "err", keep);
	if (stream)
		DL_APPEND(set->list, o);
	return o;
}

void
output_free(struct output *o)
{
	int i;

	if (o == NULL)
		return;
	forget(o);
	for (i = 0; i < OUTPUT_STREAMS; i++)
		spool_free(o->ways[i].spool);
	free(o->id);
	free(o);
}

void
output_add(struct output *o, int stream, const char *bytes, size_t len)
{
	spool_add(o->ways[stream].spool, bytes, len);
	if (o->stream)
		pump(o->set);
}

void
output_end(struct output *o)
{
	int i;

	o->ended = true;
	for (i = 0; i < OUTPUT_STREAMS; i++)
		spool_end(o->ways[i].spool);
	if (!o->stream)
		return;
	DL_APPEND2(o->set->ended, o, older, younger);
	o->set->n_ended++;
	if (output_done(o)) {
		drop(o);
		return;
	}
	pump(o->set);
	if (o->set->n_ended > o->set->config.max_ended)
		drop_oldest(o->set);
}

/* A hub may acknowledge more than this link has sent: an earlier one did. */
void
output_acked(struct output *o, int stream, uint64_t offset, bool stop)
{
	struct way *w = &o->ways[stream];
	uint64_t kept = spool_kept(w->spool);

	if (!o->stream)
		return;
	if (offset > kept)
		offset = kept;
	if (offset > w->acked)
		w->acked = offset;
	if (w->sent < w->acked)
		w->sent = w->acked;
	if (stop && !o->ended) {
		drop(o);
		return;
	}
	if (stop || output_done(o))
		tell_done(o);
	else
		pump(o->set);
}

const struct spool *
output_spool(const struct output *o, int stream)
{
	return o->ways[stream].spool;
}

bool
output_lost(const struct output *o)
{
	return o->lost;
}

uint64_t
output_kept(const struct output *o, int stream)
{
	const struct way *w = &o->ways[stream];

	return o->lost ? w->acked : spool_kept(w->spool);
}
