#include "net/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mem.h"

enum { HOOKS_MAX = 8, SIGNALS_MAX = 8 };

struct hook {
	loop_fn *fn;
	void *arg;
};

struct loop_signal {
	uv_signal_t uv;
	loop_signal_fn *fn;
	void *arg;
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t turn; /* runs the hooks before the loop may sleep */
	uv_idle_t again; /* while active, the loop does not sleep */
	uv_async_t alive; /* keeps loop_run from ending by itself */
	struct hook hooks[HOOKS_MAX];
	unsigned n_hooks;
	bool in_hooks;
	struct loop_signal *signals[SIGNALS_MAX];
	unsigned n_signals;
};

struct loop_waker {
	uv_async_t uv;
	loop_fn *fn;
	void *arg;
};

static void
run_hooks(struct loop *l)
{
	l->in_hooks = true;
	for (unsigned i = 0; i < l->n_hooks; i++)
		l->hooks[i].fn(l->hooks[i].arg);
	l->in_hooks = false;
}

/* Not a uv_check: what a timer queued would then wait through a whole poll. */
static void
on_turn(uv_prepare_t *turn)
{
	run_hooks(turn->data);
}

static void
on_again(uv_idle_t *again)
{
	uv_idle_stop(again);
}

static void
on_alive(uv_async_t *alive)
{
	(void)alive;
}

struct loop *
loop_new(void)
{
	struct loop *l = mem_alloc(sizeof *l);

	if (uv_loop_init(&l->uv) != 0)
		abort();
	l->uv.data = l;
	uv_prepare_init(&l->uv, &l->turn);
	l->turn.data = l;
	uv_prepare_start(&l->turn, on_turn);
	uv_unref((uv_handle_t *)&l->turn);
	uv_idle_init(&l->uv, &l->again);
	if (uv_async_init(&l->uv, &l->alive, on_alive) != 0)
		abort();
	return l;
}

static void
count_open(uv_handle_t *handle, void *arg)
{
	if (uv_is_closing(handle))
		return;
	log_error("loop: a handle of type %s was left open",
	    uv_handle_type_name(handle->type));
	++*(unsigned *)arg;
}

static void
free_signal(uv_handle_t *handle)
{
	free(handle->data);
}

void
loop_free(struct loop *l)
{
	unsigned open = 0;

	if (l == NULL)
		return;
	for (unsigned i = 0; i < l->n_signals; i++)
		uv_close((uv_handle_t *)&l->signals[i]->uv, free_signal);
	uv_close((uv_handle_t *)&l->turn, NULL);
	uv_close((uv_handle_t *)&l->again, NULL);
	uv_close((uv_handle_t *)&l->alive, NULL);
	while (uv_loop_alive(&l->uv)) {
		open = 0;
		uv_walk(&l->uv, count_open, &open);
		if (open > 0)
			return; /* told; the process is about to end */
		uv_run(&l->uv, UV_RUN_ONCE);
	}
	if (uv_loop_close(&l->uv) != 0)
		assert(!"the loop was left busy");
	free(l);
}

uv_loop_t *
loop_uv(struct loop *l)
{
	return &l->uv;
}

void
loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
	run_hooks(l); /* what the last turn queued */
}

void
loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

void
loop_after_turn(struct loop *l, loop_fn *fn, void *arg)
{
	assert(l->n_hooks < HOOKS_MAX);
	l->hooks[l->n_hooks++] = (struct hook){ fn, arg };
}

void
loop_drop_after_turn(struct loop *l, loop_fn *fn, void *arg)
{
	for (unsigned i = 0; i < l->n_hooks; i++) {
		if (l->hooks[i].fn != fn || l->hooks[i].arg != arg)
			continue;
		l->n_hooks--;
		memmove(&l->hooks[i], &l->hooks[i + 1],
		    (l->n_hooks - i) * sizeof l->hooks[0]);
		return;
	}
}

void
loop_again(struct loop *l)
{
	if (l->in_hooks)
		uv_idle_start(&l->again, on_again);
}

static void
on_wake(uv_async_t *uv)
{
	struct loop_waker *w = uv->data;

	w->fn(w->arg);
}

struct loop_waker *
loop_waker_new(struct loop *l, loop_fn *fn, void *arg)
{
	struct loop_waker *w = mem_alloc(sizeof *w);

	w->fn = fn;
	w->arg = arg;
	w->uv.data = w;
	if (uv_async_init(&l->uv, &w->uv, on_wake) != 0)
		abort();
	return w;
}

void
loop_wake(struct loop_waker *w)
{
	uv_async_send(&w->uv);
}

static void
free_waker(uv_handle_t *handle)
{
	free(handle->data);
}

void
loop_waker_free(struct loop_waker *w)
{
	if (w != NULL)
		uv_close((uv_handle_t *)&w->uv, free_waker);
}

static void
on_signal(uv_signal_t *uv, int number)
{
	struct loop_signal *s = uv->data;

	s->fn(s->arg, number);
}

void
loop_on_signal(struct loop *l, int number, loop_signal_fn *fn, void *arg)
{
	struct loop_signal *s = mem_alloc(sizeof *s);

	assert(l->n_signals < SIGNALS_MAX);
	s->fn = fn;
	s->arg = arg;
	s->uv.data = s;
	uv_signal_init(&l->uv, &s->uv);
	uv_signal_start(&s->uv, on_signal, number);
	uv_unref((uv_handle_t *)&s->uv);
	l->signals[l->n_signals++] = s;
}
