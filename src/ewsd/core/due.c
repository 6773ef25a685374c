#include "ewsd/core/due.h"

#include <stdbool.h>
#include <stdlib.h>

#include "lib/mem.h"

void
due_fini(struct due *d)
{
	free(d->heap);
	*d = (struct due){ 0 };
}

static bool
before(const struct due_item *a, const struct due_item *b)
{
	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms;
	return a->order < b->order;
}

static void
set(struct due *d, size_t place, struct due_item *i)
{
	d->heap[place - 1] = i;
	i->place = place;
}

static void
rise(struct due *d, struct due_item *i)
{
	size_t at = i->place;

	while (at > 1 && before(i, d->heap[at / 2 - 1])) {
		set(d, at, d->heap[at / 2 - 1]);
		at /= 2;
	}
	set(d, at, i);
}

static void
sink(struct due *d, struct due_item *i)
{
	size_t at = i->place, child;

	while ((child = 2 * at) <= d->n) {
		if (child < d->n && before(d->heap[child], d->heap[child - 1]))
			child++;
		if (!before(d->heap[child - 1], i))
			break;
		set(d, at, d->heap[child - 1]);
		at = child;
	}
	set(d, at, i);
}

void
due_put(struct due *d, struct due_item *i, int64_t at_ms)
{
	if (i->place == 0) {
		if (d->n == d->cap) {
			d->cap = d->cap == 0 ? 64 : 2 * d->cap;
			d->heap =
			    mem_realloc(d->heap, d->cap * sizeof *d->heap);
		}
		set(d, ++d->n, i);
	}
	i->at_ms = at_ms;
	rise(d, i);
	sink(d, i);
}

void
due_take(struct due *d, struct due_item *i)
{
	size_t place = i->place;
	struct due_item *last;

	if (place == 0)
		return;
	i->place = 0;
	last = d->heap[--d->n];
	if (last == i)
		return;
	set(d, place, last);
	rise(d, last);
	sink(d, last);
}

struct due_item *
due_first(const struct due *d, int64_t now_ms)
{
	return d->n > 0 && d->heap[0]->at_ms <= now_ms ? d->heap[0] : NULL;
}
