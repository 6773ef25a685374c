#include "ewsagent/jobqueue.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/mem.h"

void
job_queue_init(
    struct job_queue *q, unsigned (*limit)(void *, const char *), void *arg)
{
	memset(q, 0, sizeof *q);
	q->limit = limit;
	q->arg = arg;
}

static void
lane_free(struct job_queue *q, struct job_lane *lane)
{
	HASH_DEL(q->lanes, lane);
	free(lane->type);
	free(lane);
}

void
job_queue_fini(struct job_queue *q)
{
	struct job_lane *lane, *next;

	HASH_ITER (hh, q->lanes, lane, next)
		lane_free(q, lane);
}

static struct job_lane *
find(const struct job_queue *q, const char *type)
{
	struct job_lane *lane;

	HASH_FIND(hh, q->lanes, type, strlen(type), lane);
	return lane;
}

static struct job_lane *
lane_of(struct job_queue *q, const char *type)
{
	struct job_lane *lane = find(q, type);

	if (lane != NULL)
		return lane;
	lane = mem_alloc(sizeof *lane);
	lane->type = mem_dup(type);
	HASH_ADD_KEYPTR(hh, q->lanes, lane->type, strlen(lane->type), lane);
	return lane;
}

static void
release(struct job_queue *q, struct job_lane *lane)
{
	if (lane->count == 0 && lane->running == 0)
		lane_free(q, lane);
}

void
job_queue_add(struct job_queue *q, struct job *j)
{
	struct job_lane *lane = lane_of(q, j->type);
	struct job **list = &lane->lists[j->priority], *at = *list;

	if (j->seq == 0)
		j->seq = ++q->seqs;
	if (at == NULL || at->prev->seq < j->seq) { /* prev: the tail */
		DL_APPEND(*list, j);
	} else {
		while (at->seq < j->seq)
			at = at->next;
		DL_PREPEND_ELEM(*list, at, j);
	}
	j->lane = lane;
	lane->count++;
	q->count++;
	q->bytes += j->size;
}

void
job_queue_remove(struct job_queue *q, struct job *j)
{
	struct job_lane *lane = j->lane;

	DL_DELETE(lane->lists[j->priority], j);
	j->lane = NULL;
	lane->count--;
	q->count--;
	q->bytes -= j->size;
	release(q, lane);
}

static bool
has_room(const struct job_queue *q, const struct job_lane *lane)
{
	unsigned limit = q->limit == NULL ? 0 : q->limit(q->arg, lane->type);

	return limit == 0 || lane->running < limit;
}

bool
job_queue_has_room(const struct job_queue *q, const char *type)
{
	const struct job_lane *lane = find(q, type);

	return lane == NULL || has_room(q, lane);
}

static struct job *
oldest_of(const struct job_lane *lane)
{
	struct job *oldest = NULL;

	for (int p = 0; p < JOB_PRIORITIES; p++) {
		struct job *j = lane->lists[p];

		if (j != NULL && (oldest == NULL || j->seq < oldest->seq))
			oldest = j;
	}
	return oldest;
}

static struct job *
most_urgent_of(const struct job_lane *lane)
{
	int p = 0;

	while (lane->lists[p] == NULL)
		p++;
	return lane->lists[p];
}

static bool
is_before(const struct job *a, const struct job *b)
{
	if (b == NULL || a->priority != b->priority)
		return b == NULL || a->priority < b->priority;
	return a->seq < b->seq;
}

/* The oldest of those who are owed a turn, or NULL. */
static struct job *
owed(const struct job_queue *q)
{
	struct job_lane *lane, *next;
	struct job *first = NULL;

	if (q->since < JOB_OVERTAKE_MAX)
		return NULL;
	HASH_ITER (hh, q->lanes, lane, next) {
		struct job *j = oldest_of(lane);

		if (j != NULL && lane->passed >= JOB_OVERTAKE_MAX &&
		    has_room(q, lane) && (first == NULL || j->seq < first->seq))
			first = j;
	}
	return first;
}

struct job *
job_queue_next(const struct job_queue *q)
{
	struct job *best = owed(q);
	struct job_lane *lane, *next;

	if (best != NULL)
		return best;
	HASH_ITER (hh, q->lanes, lane, next) {
		if (lane->count > 0 && has_room(q, lane) &&
		    is_before(most_urgent_of(lane), best))
			best = most_urgent_of(lane);
	}
	return best;
}

/* A lane without room is not passed by others: it could not have started
 * one. But what it counted before stays. */
static void
count_passed(struct job_queue *q, const struct job *by)
{
	struct job_lane *lane, *next;

	HASH_ITER (hh, q->lanes, lane, next) {
		const struct job *j = oldest_of(lane);

		if (j != NULL && j->seq < by->seq &&
		    j->priority > by->priority && has_room(q, lane))
			lane->passed++;
	}
}

void
job_queue_start(struct job_queue *q, struct job *j)
{
	struct job_lane *lane = j->lane;

	q->since = j == owed(q) ? 0 : q->since + 1;
	if (j == oldest_of(lane))
		lane->passed = 0;
	job_queue_remove(q, j);
	count_passed(q, j);
}

void
job_queue_enter(struct job_queue *q, struct job *j)
{
	lane_of(q, j->type)->running++;
}

void
job_queue_leave(struct job_queue *q, struct job *j)
{
	struct job_lane *lane = find(q, j->type);

	lane->running--;
	release(q, lane);
}
