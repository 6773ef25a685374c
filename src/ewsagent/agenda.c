#include "ewsagent/agenda.h"

#include <stdlib.h>

#include "lib/mem.h"

enum { ROOM_FIRST = 16 };

void
agenda_fini(struct agenda *a)
{
	free(a->jobs);
	*a = (struct agenda){ 0 };
}

static bool
before(const struct job *a, const struct job *b)
{
	if (a->wake_ms != b->wake_ms)
		return a->wake_ms < b->wake_ms;
	return a->order < b->order;
}

static void
put(struct agenda *a, size_t i, struct job *j)
{
	a->jobs[i] = j;
	j->place = i + 1;
}

static size_t
rise(struct agenda *a, size_t i, struct job *j)
{
	while (i > 0 && before(j, a->jobs[(i - 1) / 2])) {
		put(a, i, a->jobs[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	return i;
}

static size_t
sink(struct agenda *a, size_t i, struct job *j)
{
	size_t child;

	while ((child = 2 * i + 1) < a->count) {
		if (child + 1 < a->count &&
		    before(a->jobs[child + 1], a->jobs[child]))
			child++;
		if (!before(a->jobs[child], j))
			break;
		put(a, i, a->jobs[child]);
		i = child;
	}
	return i;
}

/* Somewhere from 'i' on is its place. */
static void
settle(struct agenda *a, size_t i, struct job *j)
{
	put(a, sink(a, rise(a, i, j), j), j);
}

void
agenda_remove(struct agenda *a, struct job *j)
{
	size_t i = j->place - 1;
	struct job *last;

	if (j->place == 0)
		return;
	j->place = 0;
	last = a->jobs[--a->count];
	if (last != j)
		settle(a, i, last);
}

void
agenda_set(struct agenda *a, struct job *j, int64_t ms)
{
	agenda_remove(a, j);
	if (a->count == a->room) {
		a->room = a->room == 0 ? ROOM_FIRST : 2 * a->room;
		a->jobs = mem_realloc(a->jobs, a->room * sizeof *a->jobs);
	}
	if (j->order == 0)
		j->order = ++a->orders;
	j->wake_ms = ms;
	settle(a, a->count++, j);
}

struct job *
agenda_first(const struct agenda *a)
{
	return a->count == 0 ? NULL : a->jobs[0];
}
