/*
 * ctl_dead - "dead", "requeue", "drop": ends that somebody has to see to
 */
#include <string.h>

#include "ewsd/core/requeue.h"
#include "ewsd/dialect/ctl_priv.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

static bool
take_filter(const json_t *request, struct store_filter *f, struct err *err)
{
	return ctl_take_filter(request, f, err) &&
	       js_take_str(request, "reason", &f->reason, err);
}

void
ctl_op_dead(struct ctl_ask *ask, const json_t *request)
{
	struct store_filter f = { .dead = true };
	struct err err = ERR_INIT;

	if (take_filter(request, &f, &err))
		ctl_list(ask, request, &f);
	else
		ask_fail(ask, &err);
}

/* ---- which ones -------------------------------------------------------- */

/* One by its id, or all that match: but all only if that is said. */
static bool
take_which(struct ctl_ask *ask, const json_t *request, struct store_filter *f,
    struct err *err)
{
	bool all = false;

	if (!js_take_str(request, "command_id", &f->id, err) ||
	    !js_take_bool(request, "all", &all, err) ||
	    !take_filter(request, f, err))
		return false;
	if ((f->id != NULL) == all) {
		err_set(
		    err, EXIT_DATA, "bad_argument", "either command_id or all");
		return false;
	}
	if (f->id != NULL &&
	    (*f->id == '\0' ||
		!str_copy(ask->command_id, sizeof ask->command_id, f->id))) {
		err_set(err, EXIT_NEGATIVE, "command_unknown",
		    "no command of that id");
		return false;
	}
	return true;
}

static const char *
requeued_as(const struct store_history *h, size_t n)
{
	static const char word[] = "requeued_as ";

	for (size_t i = n; i-- > 0;)
		if (h[i].is_note && h[i].note != NULL &&
		    str_starts(h[i].note, word))
			return h[i].note + sizeof word - 1;
	return NULL;
}

/* It cannot be sent again, or dropped: why? */
static void
explain(const struct store_command *c, const struct store_history *h, size_t n,
    struct err *err)
{
	const char *as = requeued_as(h, n), *state = state_word(c->state);

	if (c->cleared && as != NULL)
		err_set(err, EXIT_NEGATIVE, "too_late",
		    "command %s was requeued before, as %s", c->id, as);
	else if (c->cleared)
		err_set(err, EXIT_NEGATIVE, "too_late",
		    "command %s was dropped before", c->id);
	else if (!state_is_end(c->state))
		err_set(err, EXIT_DATA, "bad_argument",
		    "command %s has not ended: it is %s", c->id, state);
	else if (str_eq(c->outcome.reason, "checksum"))
		err_set(err, EXIT_IO, "io",
		    "command %s: its stored copy is damaged; send it anew",
		    c->id);
	else if (c->flags & STORE_STDIN)
		err_set(err, EXIT_DATA, "bad_argument",
		    "command %s had its input streamed by its sender; send "
		    "it anew",
		    c->id);
	else
		err_set(err, EXIT_DATA, "bad_argument",
		    "command %s is %s: only what expired, was refused, is "
		    "dead, interrupted or could not be started is seen to",
		    c->id, state);
}

static void
on_stored(void *arg, const struct store_command *c,
    const struct store_history *h, size_t n, const struct err *failure)
{
	struct ctl_ask *ask = arg;
	struct err err = ERR_INIT;

	if (!ask_from_store(ask))
		return;
	if (failure != NULL)
		err = *failure;
	else if (c == NULL)
		err_set(&err, EXIT_NEGATIVE, "command_unknown", "no command %s",
		    ask->command_id);
	else
		explain(c, h, n, &err);
	ask_fail(ask, &err);
}

static void
say_why_not(struct ctl_ask *ask)
{
	struct err err = ERR_INIT;

	ask_to_store(ask);
	if (!store_get(core_store(ask_core(ask)), ask->command_id, on_stored,
		ask, &err))
		ask_store_failed(ask, &err);
}

/* ---- what was done ------------------------------------------------------ */

static size_t
count_done(const struct store_seen *all, size_t n)
{
	size_t done = 0;

	for (size_t i = 0; i < n; i++)
		done += all[i].done;
	return done;
}

/* False: it is answered. */
static bool
may_answer(struct ctl_ask *ask, size_t done, const struct err *err)
{
	if (!ask_from_store(ask))
		return false;
	if (err != NULL)
		ask_fail(ask, err);
	else if (done == 0 && ask->command_id[0] != '\0')
		say_why_not(ask);
	else
		return true;
	return false;
}

static void
on_requeued(void *arg, const struct store_seen *all, size_t n, bool more,
    const struct err *err)
{
	struct ctl_ask *ask = arg;
	json_t *list;

	if (!may_answer(ask, count_done(all, n), err))
		return;
	list = json_array();
	for (size_t i = 0; i < n; i++)
		if (all[i].done)
			json_array_append_new(
			    list, json_pack("{s:s,s:s}", "from", all[i].from,
				      "to", all[i].to));
	ask_reply(ask, json_pack("{s:o,s:b}", "requeued", list, "more", more));
}

static void
on_dropped(void *arg, const struct store_seen *all, size_t n, bool more,
    const struct err *err)
{
	struct ctl_ask *ask = arg;
	size_t done = count_done(all, n);

	if (may_answer(ask, done, err))
		ask_reply(ask, json_pack("{s:I,s:b}", "dropped",
				   (json_int_t)done, "more", more));
}

void
ctl_op_requeue(struct ctl_ask *ask, const json_t *request)
{
	struct store_filter f = { 0 };
	struct err err = ERR_INIT;

	if (!take_which(ask, request, &f, &err)) {
		ask_fail(ask, &err);
		return;
	}
	ask_to_store(ask);
	if (!requeue_again(
		ask_core(ask), &f, ask->asker, on_requeued, ask, &err))
		ask_store_failed(ask, &err);
}

void
ctl_op_drop(struct ctl_ask *ask, const json_t *request)
{
	struct store_filter f = { 0 };
	struct err err = ERR_INIT;

	if (!take_which(ask, request, &f, &err)) {
		ask_fail(ask, &err);
		return;
	}
	ask_to_store(ask);
	if (!requeue_drop(ask_core(ask), &f, on_dropped, ask, &err))
		ask_store_failed(ask, &err);
}
