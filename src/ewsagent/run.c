#include "ewsagent/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/mem.h"
#include "net/timer.h"

enum { READ_SIZE = 65536, MOP_STEP_MS = 100 };

struct runs {
	uv_loop_t *uv;
	struct loop *loop;
	const struct run_events *events;
	struct run *list;
	uv_signal_t child;
	unsigned refs; /* itself and each run */
	char buf[READ_SIZE]; /* libuv reads right after asking for it */
};

enum run_state {
	RUN_ALIVE, /* the timer is its deadline */
	RUN_ASKED, /* was sent a signal; the timer kills */
	RUN_EXITED, /* pipes may be open; the timer closes them */
	RUN_ENDED /* told; the timer mops its group up */
};

struct run {
	struct runs *set;
	struct run *prev, *next;
	void *arg;
	enum run_state state;
	pid_t pid; /* and group */
	struct run_end end;
	int64_t grace_ms;
	struct timer *timer;
	unsigned handles; /* pipes not closed */
	unsigned mops;
	uv_pipe_t pipes[3];
	uv_write_t write;
	char *input;
};

static void
unref(struct runs *set)
{
	if (--set->refs == 0)
		free(set);
}

/* Freed when its memory holds no libuv handle and its group is gone. */
static void
maybe_free(struct run *r)
{
	if (r->state != RUN_ENDED || r->handles > 0 || r->timer != NULL)
		return;
	DL_DELETE(r->set->list, r);
	unref(r->set);
	free(r->input);
	free(r);
}

static void
on_pipe_closed(uv_handle_t *h)
{
	struct run *r = h->data;

	r->handles--;
	maybe_free(r);
}

static bool
is_open(struct run *r, int i)
{
	return !uv_is_closing((uv_handle_t *)&r->pipes[i]);
}

static void
close_pipe(struct run *r, int i)
{
	if (is_open(r, i))
		uv_close((uv_handle_t *)&r->pipes[i], on_pipe_closed);
}

static void
mop_end(struct run *r)
{
	timer_free(r->timer);
	r->timer = NULL;
	maybe_free(r);
}

/* Its number cannot be another's while the group has a member. */
static void
mop(struct run *r)
{
	bool last = r->mops++ >= RUN_MOP_MS / MOP_STEP_MS;
	int signal = last ? SIGKILL : r->mops == 1 ? SIGTERM : 0;

	if (kill(-r->pid, signal) == -1 || last)
		mop_end(r);
	else
		timer_set(r->timer, MOP_STEP_MS);
}

static void
finish(struct run *r)
{
	int i;

	r->state = RUN_ENDED;
	for (i = 0; i < 3; i++)
		close_pipe(r, i);
	r->set->events->end(r->arg, &r->end);
	mop(r);
}

static void
maybe_finish(struct run *r)
{
	if (r->state == RUN_EXITED && !is_open(r, 1) && !is_open(r, 2))
		finish(r);
}

static void
on_exit_status(struct run *r, int status)
{
	r->end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	r->end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	r->state = RUN_EXITED;
	timer_set(r->timer, RUN_LINGER_MS);
	maybe_finish(r);
}

/* Signals merge: any of them may have exited. */
static void
on_child(uv_signal_t *s, int signal)
{
	struct runs *set = s->data;
	struct run *r, *next;
	int status;

	(void)signal;
	DL_FOREACH_SAFE (set->list, r, next) {
		if (r->state < RUN_EXITED &&
		    waitpid(r->pid, &status, WNOHANG) == r->pid)
			on_exit_status(r, status);
	}
}

static void
on_timer(void *arg)
{
	struct run *r = arg;

	switch (r->state) {
	case RUN_ALIVE:
		run_ask(r, SIGTERM, r->grace_ms, RUN_TIMEOUT);
		break;
	case RUN_ASKED:
		kill(-r->pid, SIGKILL);
		break;
	case RUN_EXITED:
		finish(r);
		break;
	case RUN_ENDED:
		mop(r);
		break;
	}
}

void
run_ask(struct run *r, int signal, int64_t grace_ms, enum run_why why)
{
	if (r->state > RUN_ASKED)
		return; /* exited by itself: that end counts */
	if (r->state == RUN_ALIVE)
		r->end.why = why;
	r->state = RUN_ASKED;
	if (grace_ms < 0)
		grace_ms = 0;
	kill(-r->pid, signal);
	timer_set(r->timer,
	    grace_ms < RUN_GRACE_MAX_MS ? grace_ms : RUN_GRACE_MAX_MS);
}

static void
on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct run *r = h->data;

	(void)hint;
	*buf = uv_buf_init(r->set->buf, sizeof r->set->buf);
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct run *r = s->data;
	int i = (uv_pipe_t *)s == &r->pipes[2] ? 2 : 1;

	if (n > 0)
		r->set->events->output(r->arg, i - 1, buf->base, (size_t)n);
	if (n >= 0)
		return;
	close_pipe(r, i);
	maybe_finish(r);
}

/* A handler need not read its input: EPIPE is as good as success. */
static void
on_written(uv_write_t *w, int status)
{
	struct run *r = w->data;

	(void)status;
	free(r->input);
	r->input = NULL;
	close_pipe(r, 0);
}

static void
open_pipe(struct run *r, int i, int fd)
{
	uv_pipe_t *p = &r->pipes[i];

	uv_pipe_init(r->set->uv, p, 0);
	p->data = r;
	r->handles++;
	if (uv_pipe_open(p, fd) != 0) { /* cannot be, with a new pipe */
		close(fd);
		close_pipe(r, i);
	}
}

static void
talk(struct run *r)
{
	uv_buf_t buf = uv_buf_init(r->input, (unsigned)strlen(r->input));
	int i;

	for (i = 1; i <= 2; i++) {
		if (is_open(r, i))
			uv_read_start(
			    (uv_stream_t *)&r->pipes[i], on_alloc, on_read);
	}
	r->write.data = r;
	if (!is_open(r, 0) || uv_write(&r->write, (uv_stream_t *)&r->pipes[0],
				  &buf, 1, on_written) != 0)
		close_pipe(r, 0);
}

struct run *
run_start(struct runs *set, const struct run_spec *spec, void *arg, bool *later,
    struct err *err)
{
	struct run *r;
	int fds[3], i;
	pid_t pid = spawn_start(&spec->spawn, fds, later, err);

	if (pid == -1) {
		free(spec->input);
		return NULL;
	}
	r = mem_alloc(sizeof *r);
	r->set = set;
	r->arg = arg;
	r->pid = pid;
	r->grace_ms = spec->grace_ms;
	r->input = spec->input;
	set->refs++;
	DL_APPEND(set->list, r);
	r->timer = timer_new(set->loop, on_timer, r);
	timer_set(r->timer, spec->deadline_ms);
	for (i = 0; i < 3; i++)
		open_pipe(r, i, fds[i]);
	talk(r);
	return r;
}

pid_t
run_pid(const struct run *r)
{
	return r->pid;
}

struct runs *
runs_new(struct loop *loop, const struct run_events *events)
{
	struct runs *set = mem_alloc(sizeof *set);

	set->loop = loop;
	set->uv = loop_uv(loop);
	set->events = events;
	set->refs = 1;
	uv_signal_init(set->uv, &set->child);
	set->child.data = set;
	uv_signal_start(&set->child, on_child, SIGCHLD);
	return set;
}

static void
on_signal_closed(uv_handle_t *h)
{
	unref(h->data);
}

/* KILL ends it for certain, so that waiting here is short. */
static void
put_down(struct run *r)
{
	int i;

	kill(-r->pid, SIGKILL);
	if (r->state < RUN_EXITED)
		while (waitpid(r->pid, NULL, 0) == -1 && errno == EINTR)
			continue;
	r->state = RUN_ENDED;
	for (i = 0; i < 3; i++)
		close_pipe(r, i);
	mop_end(r);
}

void
runs_free(struct runs *set)
{
	struct run *r, *next;

	if (set == NULL)
		return;
	DL_FOREACH_SAFE (set->list, r, next)
		put_down(r);
	uv_close((uv_handle_t *)&set->child, on_signal_closed);
}
