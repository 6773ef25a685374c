#include "ewsagent/output.h"

#include <stdlib.h>
#include <utlist.h>

#include "ewsagent/chunk.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { CHUNK_MIN = 1024, CHUNK_MAX = 1 << 20 };

static const char *const words[OUTPUT_STREAMS] = { "stdout", "stderr" };

struct way {
	uint64_t kept, sent, acked;
};

struct output {
	struct outputs *set;
	struct output *prev, *next; /* followed ones, next to send first */
	struct output *older, *younger; /* ended ones, by end */
	char *id;
	void *owner;
	bool attached, ended;
	struct way ways[OUTPUT_STREAMS];
};

struct outputs {
	struct outputs_config config;
	struct output *list, *ended;
	size_t n_unsent; /* ended and attached */
	uint64_t bytes;
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

static size_t
read_at(const struct output *o, int i, uint64_t offset, char *dst, size_t size)
{
	return o->set->config.read(
	    o->set->config.arg, o->id, i, offset, dst, size);
}

/* ---- bytes as JSON ---------------------------------------------------- */

static json_t *
frame_of(const struct output *o, int i, size_t n)
{
	json_t *data = json_object();

	json_object_set_new(data, "command_id", json_string(o->id));
	json_object_set_new(data, "stream", json_string(words[i]));
	json_object_set_new(
	    data, "offset", json_integer((json_int_t)o->ways[i].sent));
	chunk_set(data, o->set->buf, n);
	return data;
}

json_t *
output_tail(const struct output *o, int stream, size_t size)
{
	uint64_t kept = o->ways[stream].kept, from;
	size_t n, skip;
	json_t *data;
	char *bytes;

	from = kept > size ? kept - size : 0;
	bytes = kept == from ? NULL : mem_try((size_t)(kept - from));
	if (bytes == NULL)
		return NULL;
	n = read_at(o, stream, from, bytes, (size_t)(kept - from));
	skip = from > 0 ? chunk_front(bytes, n) : 0;
	data = n == 0 ? NULL : json_object();
	if (data != NULL) {
		json_object_set_new(data, "offset",
		    json_integer((json_int_t)from + (json_int_t)skip));
		chunk_set(data, bytes + skip, n - skip);
	}
	free(bytes);
	return data;
}

/* ---- sending ---------------------------------------------------------- */

/* How many of the n bytes at the front of the buffer make the next chunk:
 * a cut character waits for its rest, while one may come. */
static size_t
chunk_end(const struct output *o, const struct way *w, size_t n)
{
	bool last = o->ended && w->sent + n == w->kept;

	return last ? n : str_utf8_cut(o->set->buf, n);
}

/* How much the hub's credit and the spool allow. */
static size_t
sendable(const struct outputs *set, const struct way *w)
{
	uint64_t n, credit = w->acked + set->config.window;

	if (w->sent >= credit || w->sent >= w->kept)
		return 0;
	n = w->kept - w->sent;
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
	n = read_at(o, i, w->sent, set->buf, n);
	n = n == 0 ? 0 : chunk_end(o, w, n);
	if (n == 0)
		return false;
	data = frame_of(o, i, n);
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
	for (i = 0; o->attached && i < OUTPUT_STREAMS; i++) {
		if (o->ways[i].acked < o->ways[i].kept)
			return false;
	}
	return true;
}

bool
output_attached(const struct output *o)
{
	return o->attached;
}

static void
detach(struct output *o)
{
	if (!o->attached)
		return;
	/* NOLINTNEXTLINE(*-core.NullDereference): a ring behind */
	DL_DELETE(o->set->list, o);
	o->attached = false;
	if (o->ended)
		o->set->n_unsent--;
}

static void
attach(struct output *o)
{
	if (o->attached)
		return;
	DL_APPEND(o->set->list, o);
	o->attached = true;
	if (o->ended)
		o->set->n_unsent++;
}

static void
tell_done(struct output *o)
{
	detach(o);
	o->set->config.done(o->set->config.arg, o->owner);
}

/* ---- room ------------------------------------------------------------- */

static bool
drop_oldest(struct outputs *set, bool attached)
{
	struct output *o = set->ended;

	while (o != NULL && (o->ways[0].kept + o->ways[1].kept == 0 ||
				(attached && !o->attached)))
		o = o->younger;
	if (o == NULL)
		return false;
	log_warn("spool: the output of command %s is dropped: no room",
	    log_q(o->id));
	set->config.drop(set->config.arg, o->owner);
	return true;
}

static void
set_kept(struct output *o, int i, uint64_t kept)
{
	if (kept <= o->ways[i].kept)
		return;
	o->set->bytes += kept - o->ways[i].kept;
	o->ways[i].kept = kept;
}

static bool
make_room(struct outputs *set)
{
	while (set->bytes > set->config.max) {
		if (!drop_oldest(set, false))
			return false;
	}
	return true;
}

/* ---- the set ---------------------------------------------------------- */

struct outputs *
outputs_new(const struct outputs_config *config)
{
	struct outputs *set = mem_alloc(sizeof *set);

	set->config = *config;
	outputs_limits(set, config->chunk, config->window);
	return set;
}

void
outputs_free(struct outputs *set)
{
	if (set == NULL)
		return;
	free(set->buf);
	free(set);
}

uint64_t
outputs_bytes(const struct outputs *set)
{
	return set->bytes;
}

size_t
outputs_unsent(const struct outputs *set)
{
	return set->n_unsent;
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
outputs_detach(struct outputs *set)
{
	while (set->list != NULL)
		detach(set->list);
	set->blocked = false;
}

/* ---- one -------------------------------------------------------------- */

struct output *
output_new(struct outputs *set, const char *id, void *owner)
{
	struct output *o = mem_alloc(sizeof *o);

	o->set = set;
	o->id = mem_dup(id);
	o->owner = owner;
	return o;
}

void
output_free(struct output *o)
{
	if (o == NULL)
		return;
	detach(o);
	if (o->ended)
		/* NOLINTNEXTLINE(*-core.NullDereference): a ring behind */
		DL_DELETE2(o->set->ended, o, older, younger);
	o->set->bytes -= o->ways[0].kept + o->ways[1].kept;
	free(o->id);
	free(o);
}

bool
output_kept_now(struct output *o, int stream, uint64_t kept)
{
	struct outputs *set = o->set;

	set_kept(o, stream, kept);
	if (o->attached)
		pump(set);
	return make_room(set);
}

void
output_end(struct output *o)
{
	struct outputs *set = o->set;

	DL_APPEND2(set->ended, o, older, younger);
	o->ended = true;
	if (!o->attached)
		return;
	set->n_unsent++;
	pump(set);
	if (set->n_unsent > set->config.max_ended)
		drop_oldest(set, true);
}

void
output_attach(struct output *o, uint64_t out, uint64_t err)
{
	const uint64_t from[OUTPUT_STREAMS] = { out, err };
	int i;

	for (i = 0; i < OUTPUT_STREAMS; i++)
		o->ways[i].sent = o->ways[i].acked = from[i];
	attach(o);
	if (output_done(o))
		tell_done(o);
	else
		pump(o->set);
}

/* A hub may acknowledge more than this link has sent: an earlier one did. */
void
output_acked(struct output *o, int stream, uint64_t offset, bool stop)
{
	struct way *w = &o->ways[stream];

	if (!o->attached)
		return;
	if (offset > w->kept)
		offset = w->kept;
	if (offset > w->acked)
		w->acked = offset;
	if (w->sent < w->acked)
		w->sent = w->acked;
	if (stop && !o->ended)
		detach(o);
	else if (stop || output_done(o))
		tell_done(o);
	else
		pump(o->set);
}

uint64_t
output_acked_to(const struct output *o, int stream)
{
	return o->ways[stream].acked;
}
