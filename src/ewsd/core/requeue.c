#include "ewsd/core/requeue.h"

#include <stdlib.h>
#include <string.h>

#include "ewsd/core/core_priv.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* Of payloads, in one call: they are copied. */
enum { BYTES_MAX = 8 * 1024 * 1024 };

struct requeue {
	struct core *core;
	requeue_fn *fn;
	void *arg;
	char *asker; /* NULL: they are dropped */
	unsigned limit;
	bool more;
	size_t n;
	struct store_seen *all; /* ours */
	struct command **made; /* the new ones, not yet accepted */
};

static void
requeue_free(struct requeue *r)
{
	free(r->asker);
	free(r->all);
	free(r->made);
	free(r);
}

static void
finish(struct requeue *r, const struct err *err)
{
	r->fn(r->arg, r->all, err == NULL ? r->n : 0, r->more, err);
	requeue_free(r);
}

/* ---- sent again ---------------------------------------------------------- */

/* Not what was accepted: nobody executes that. */
static bool
is_damaged(struct core *core, const struct store_command *c)
{
	struct store_outcome how = STORE_OUTCOME_INIT;
	struct store_step step = { .state = CMD_DEAD,
		.at_ms = core_wall(core),
		.note = "not sent again: its checksum is wrong",
		.outcome = &how };

	if (!str_eq(c->outcome.reason, "checksum"))
		return false;
	log_error("command %s: not sent again: its checksum is wrong: the "
		  "disk changed it",
	    log_q(c->id));
	how.reason = "checksum";
	how.error = "its checksum is wrong: the disk changed it";
	store_step(core->config.store, c->id, &step, NULL, NULL);
	return true;
}

/* Holds its place in the queue until it is on disk. */
static bool
make(struct requeue *r, const struct store_command *old, struct err *err)
{
	struct core *core = r->core;
	struct agent *a = agent_get(core, old->agent, err);
	size_t argv = old->argv != NULL ? strlen(old->argv) : 0;
	struct store_seen *x = &r->all[r->n];
	struct store_command new;
	char id[ID_UUID_SIZE];

	if (a == NULL || !command_room(core, a, old->payload_len + argv, err))
		return false;
	id_uuid7(id, core_wall(core));
	str_copy(x->from, sizeof x->from, old->id);
	str_copy(x->to, sizeof x->to, id);
	x->seq = core->last_seq + 1;
	new = store_renew(old, id, x->seq, core_wall(core), r->asker);
	r->made[r->n] = command_make(core, &new, a);
	if (r->made[r->n] == NULL) {
		err_set(err, EXIT_RETRY, "queue_full", "out of memory");
		return false;
	}
	core->last_seq++;
	r->n++;
	return true;
}

static void
on_sent(
    void *arg, const struct store_seen *all, size_t n, const struct err *err)
{
	struct requeue *r = arg;

	for (size_t i = 0; i < n; i++) {
		r->all[i].done = err == NULL && all[i].done;
		if (r->all[i].done)
			command_accepted(r->made[i]);
		else
			command_drop(r->made[i]);
	}
	finish(r, err);
}

/* False with err: nothing could be made. */
static bool
make_all(struct requeue *r, const struct store_command *old, size_t n,
    struct err *err)
{
	struct err why = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		if (is_damaged(r->core, &old[i]))
			continue;
		if (make(r, &old[i], &why))
			continue;
		r->more = true; /* when there is room again */
		break;
	}
	if (r->n == 0 && err_isset(&why)) {
		*err = why;
		return false;
	}
	return true;
}

static void
send_all(struct requeue *r, const struct store_command *old, size_t n)
{
	struct core *core = r->core;
	struct err err = ERR_INIT;

	if (core->draining)
		err_set(&err, EXIT_RETRY, "draining", "the hub is stopping");
	if (err_isset(&err) || !make_all(r, old, n, &err)) {
		finish(r, &err);
		return;
	}
	if (store_see(core->config.store, r->all, r->n, core_wall(core),
		r->asker, on_sent, r, &err))
		return;
	for (size_t i = 0; i < r->n; i++)
		command_drop(r->made[i]);
	finish(r, &err);
}

/* ---- dropped -------------------------------------------------------------- */

static void
on_dropped(
    void *arg, const struct store_seen *all, size_t n, const struct err *err)
{
	struct requeue *r = arg;

	for (size_t i = 0; i < n; i++)
		r->all[i].done = err == NULL && all[i].done;
	finish(r, err);
}

static void
drop_all(struct requeue *r, const struct store_command *old, size_t n)
{
	struct err err = ERR_INIT;

	for (r->n = 0; r->n < n; r->n++)
		str_copy(r->all[r->n].from, sizeof r->all->from, old[r->n].id);
	if (!store_see(r->core->config.store, r->all, n, core_wall(r->core),
		NULL, on_dropped, r, &err))
		finish(r, &err);
}

/* ---- both ------------------------------------------------------------------- */

static void
on_found(
    void *arg, const struct store_command *old, size_t n, const struct err *err)
{
	struct requeue *r = arg;
	size_t bytes = 0;

	if (err != NULL) {
		finish(r, err);
		return;
	}
	for (size_t i = 0; i < n; i++)
		bytes += old[i].payload_len;
	r->more = n == r->limit || (r->asker != NULL && bytes >= BYTES_MAX);
	r->all = mem_alloc((n + 1) * sizeof *r->all);
	r->made = mem_alloc((n + 1) * sizeof *r->made);
	if (r->asker != NULL)
		send_all(r, old, n);
	else
		drop_all(r, old, n);
}

static bool
find(struct core *core, const struct store_filter *which, const char *asker,
    requeue_fn *fn, void *arg, struct err *err)
{
	struct requeue *r = mem_alloc(sizeof *r);
	struct store_filter f = *which;

	r->core = core;
	r->fn = fn;
	r->arg = arg;
	r->asker = mem_dup(asker);
	r->limit = f.id != NULL ? 2 : REQUEUE_MAX;
	f.dead = true;
	f.sendable = asker != NULL;
	f.bytes = asker != NULL ? BYTES_MAX : 0;
	f.limit = r->limit;
	if (store_list(core->config.store, &f, on_found, r, err))
		return true;
	requeue_free(r);
	return false;
}

bool
requeue_again(struct core *core, const struct store_filter *which,
    const char *asker, requeue_fn *fn, void *arg, struct err *err)
{
	return find(core, which, asker != NULL ? asker : "", fn, arg, err);
}

bool
requeue_drop(struct core *core, const struct store_filter *which,
    requeue_fn *fn, void *arg, struct err *err)
{
	return find(core, which, NULL, fn, arg, err);
}
