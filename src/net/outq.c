#include "net/outq.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum { RING_FIRST = 8, RING_KEEP = 64 };

void
outq_init(struct outq *q, const struct outq_config *config, void *arg)
{
	memset(q, 0, sizeof *q);
	q->config = config;
	q->arg = arg;
}

static void
ring_grow(struct outq_ring *r)
{
	uint32_t cap = r->cap > 0 ? r->cap * 2 : RING_FIRST;
	struct outq_item *items = mem_alloc(cap * sizeof *items);

	for (uint32_t i = 0; i < r->count; i++)
		items[i] = r->items[(r->head + i) % r->cap];
	free(r->items);
	r->items = items;
	r->head = 0;
	r->cap = cap;
}

static void
ring_put(struct outq_ring *r, struct frame *f, uint64_t tag)
{
	if (r->count == r->cap)
		ring_grow(r);
	r->items[(r->head + r->count++) % r->cap] =
	    (struct outq_item){ frame_ref(f), tag };
}

static struct outq_item
ring_take(struct outq_ring *r)
{
	struct outq_item item = r->items[r->head];

	r->head = (r->head + 1) % r->cap;
	if (--r->count == 0 && r->cap > RING_KEEP) {
		free(r->items); /* a burst is over: do not keep its memory */
		*r = (struct outq_ring){ 0 };
	}
	return item;
}

void
outq_fini(struct outq *q)
{
	struct outq old = *q;

	/* first: 'lost' may look at the queue */
	outq_init(q, old.config, old.arg);
	for (int lane = OUTQ_CONTROL; lane <= OUTQ_DATA; lane++) {
		struct outq_ring *r = &old.lanes[lane];

		while (r->count > 0) {
			struct outq_item item = ring_take(r);

			frame_unref(item.frame);
			if (item.tag != 0 && old.config->lost != NULL)
				old.config->lost(old.arg, item.tag);
		}
		free(r->items);
	}
}

bool
outq_put(struct outq *q, struct frame *f, enum outq_lane lane, uint64_t tag)
{
	size_t max = q->config->max_bytes;

	if (lane == OUTQ_CONTROL)
		max += max / 4;
	else if (q->lanes[lane].count >= q->config->max_frames)
		return false;
	if (f->len > max || q->bytes > max - f->len)
		return false;
	ring_put(&q->lanes[lane], f, tag);
	q->bytes += f->len;
	if (q->bytes >= q->config->low_bytes)
		q->above = true;
	return true;
}

static enum outq_lane
next_lane(const struct outq *q)
{
	return q->lanes[OUTQ_CONTROL].count > 0 ? OUTQ_CONTROL : OUTQ_DATA;
}

const struct frame *
outq_head(const struct outq *q)
{
	const struct outq_ring *r = &q->lanes[next_lane(q)];

	return r->count > 0 ? r->items[r->head].frame : NULL;
}

void
outq_pop(struct outq *q)
{
	struct outq_item item = ring_take(&q->lanes[next_lane(q)]);
	bool drained;

	q->bytes -= item.frame->len;
	frame_unref(item.frame);
	drained = q->above && q->bytes < q->config->low_bytes;
	if (drained)
		q->above = false;
	if (item.tag != 0 && q->config->written != NULL)
		q->config->written(q->arg, item.tag);
	if (drained && q->config->drained != NULL)
		q->config->drained(q->arg);
}

bool
outq_empty(const struct outq *q)
{
	return outq_head(q) == NULL;
}

size_t
outq_bytes(const struct outq *q)
{
	return q->bytes;
}

size_t
outq_gather(struct outq *q, char *dst, size_t size, int end)
{
	const struct frame *f;
	size_t used = 0;

	while ((f = outq_head(q)) != NULL) {
		const char *from = f->bytes;
		size_t len = f->len;

		if (end >= 0)
			from = frame_payload(f, &len);
		if (len + (end >= 0) > size - used)
			break;
		memcpy(dst + used, from, len);
		used += len;
		if (end >= 0)
			dst[used++] = (char)end;
		outq_pop(q);
	}
	return used;
}
