#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "ewsagent/shim_priv.h"
#include "lib/clock.h"

enum {
	MOP_STEP_MS = 100,
	STRAYS_MAX = 256, /* a step; more at the next */
	STRAY_STEPS = 20, /* with KILL, where KILL brings new orphans */
	PUT_WAIT_MS = 100, /* doubled up to ... */
	PUT_WAIT_MAX_MS = 5000,
	SYNC_WAIT_MS = 100 /* for the agent to be told */
};

/* What a handler that was to end has left in sessions of its own: as its
 * orphans they are our children. Of one that ended by itself they live. */
static size_t
hunt(struct shim *s, int signal)
{
	pid_t pids[STRAYS_MAX];
	size_t n;

	if (s->end.why == RUN_SELF)
		return 0;
	n = port_children(pids, STRAYS_MAX);
	for (size_t i = 0; i < n; i++)
		kill(pids[i], signal);
	return n;
}

/* The group's number cannot be another's while it has a member. */
static void
mop(struct shim *s)
{
	unsigned last = RUN_MOP_MS / MOP_STEP_MS;
	int signal = s->mops == 0 ? SIGTERM : s->mops < last ? 0 : SIGKILL;
	bool strays = hunt(s, signal) > 0;

	if (!s->group_gone)
		s->group_gone = kill(-s->pid, signal) == -1;
	/* with KILL, a group needs no second look; strays may bring more */
	s->mopped = !strays && (s->group_gone || s->mops >= last);
	s->mopped |= s->mops >= last + STRAY_STEPS;
	s->mops++;
	s->mop_due = shim_now() + MOP_STEP_MS;
}

/* The disk may be full; nothing but this record tells the end, so that it
 * is tried until there is room. */
static void
try_again(struct shim *s)
{
	s->written = false;
	s->put_wait = s->put_wait == 0 ? PUT_WAIT_MS : s->put_wait * 2;
	if (s->put_wait > PUT_WAIT_MAX_MS)
		s->put_wait = PUT_WAIT_MAX_MS;
	s->put_due = shim_now() + s->put_wait;
}

static void
put(struct shim *s)
{
	s->written = jobdir_put_end(s->dir, &s->end) || shim_forgotten(s);
	s->sync_due = shim_now() + SYNC_WAIT_MS;
	if (s->written)
		s->conn.tell_over = true;
	else
		try_again(s);
}

/* After the agent was told, which has a disk to wait for itself before
 * anybody hears of the end (DESIGN 4.3); but not for one that sleeps. */
static void
sync_end(struct shim *s)
{
	s->synced = jobdir_sync_end(s->dir) || shim_forgotten(s);
	if (!s->synced)
		try_again(s);
}

void
shim_end_begin(struct shim *s)
{
	s->state = SHIM_ENDED;
	shim_input_shut(s);
	for (int i = 0; i < 2; i++) {
		if (s->out[i] != -1)
			close(s->out[i]);
		s->out[i] = -1;
		spool_sum(s->spools[i], &s->end.streams[i]);
	}
	shim_end_step(s);
}

void
shim_end_step(struct shim *s)
{
	int64_t now = shim_now();

	if (!s->written && s->put_due <= now)
		put(s);
	if (s->written && !s->synced &&
	    (shim_conn_told(s) || s->sync_due <= now))
		sync_end(s);
	if (!s->mopped && s->mop_due <= now)
		mop(s);
	s->due = INT64_MAX;
	if (!s->written)
		s->due = s->put_due;
	else if (!s->synced)
		s->due = s->sync_due;
	if (!s->mopped && s->mop_due < s->due)
		s->due = s->mop_due;
}

bool
shim_end_done(const struct shim *s)
{
	return s->state == SHIM_ENDED && s->synced && s->mopped &&
	       shim_conn_told(s);
}
