#include "net/timer.h"

#include <stdlib.h>

#include "lib/mem.h"

struct timer {
	uv_timer_t uv;
	loop_fn *fn;
	void *arg;
};

struct timer *
timer_new(struct loop *l, loop_fn *fn, void *arg)
{
	struct timer *t = mem_alloc(sizeof *t);

	t->fn = fn;
	t->arg = arg;
	t->uv.data = t;
	uv_timer_init(loop_uv(l), &t->uv);
	return t;
}

static void
free_timer(uv_handle_t *handle)
{
	free(handle->data);
}

void
timer_free(struct timer *t)
{
	if (t != NULL)
		uv_close((uv_handle_t *)&t->uv, free_timer);
}

static void
on_due(uv_timer_t *uv)
{
	struct timer *t = uv->data;

	t->fn(t->arg);
}

void
timer_set(struct timer *t, int64_t ms)
{
	/* the loop's idea of now is as old as this turn */
	uv_update_time(t->uv.loop);
	uv_timer_start(&t->uv, on_due, ms > 0 ? (uint64_t)ms : 0, 0);
}

void
timer_stop(struct timer *t)
{
	uv_timer_stop(&t->uv);
}

bool
timer_active(const struct timer *t)
{
	return uv_is_active((const uv_handle_t *)&t->uv) != 0;
}
