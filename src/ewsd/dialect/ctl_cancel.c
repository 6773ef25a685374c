/*
 * ctl_cancel - "cancel": taking a command back
 *
 * The answer is what came of it. What waits here is gone at once; our agent
 * is asked for what it holds, and its word is waited for, but not for long
 * where a handler has to end first.
 */
#include <signal.h>
#include <string.h>

#include "ewsd/dialect/ctl_priv.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

enum { GRACE_MS = 5000, GRACE_MAX_MS = 3600 * 1000, SIGNAL_MAX = 64 };
enum { RUNNING_WAIT_MS = 1000 };

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "TERM", SIGTERM },
	{ "KILL", SIGKILL },
	{ "INT", SIGINT },
	{ "HUP", SIGHUP },
	{ "QUIT", SIGQUIT },
	{ "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 },
};

static bool
signal_from(const char *name, int64_t *number)
{
	if (str_starts(name, "SIG"))
		name += 3;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		if (str_ieq(signals[i].name, name)) {
			*number = signals[i].number;
			return true;
		}
	}
	return false;
}

static bool
take_signal(const json_t *request, int64_t *number, struct err *err)
{
	const json_t *v = js_get(request, "signal");

	if (!json_is_string(v))
		return js_take_int(
		    request, "signal", 1, SIGNAL_MAX, number, err);
	if (signal_from(json_string_value(v), number))
		return true;
	err_set(err, EXIT_DATA, "bad_argument",
	    "signal: a number or TERM, KILL, INT, HUP, QUIT, USR1, USR2");
	return false;
}

static void
answer(struct ctl_ask *ask, const char *word)
{
	json_t *o = ask->plan;

	ask->plan = NULL;
	if (o == NULL)
		o = json_pack("{s:s}", "command_id", ask->command_id);
	json_object_set_new(o, "answer", json_string(word));
	ask_reply(ask, o);
}

/* It is not in memory: has it ended, or was it never? */
static void
on_stored(void *arg, const struct store_command *c,
    const struct store_history *h, size_t n, const struct err *failure)
{
	struct ctl_ask *ask = arg;
	struct err err = ERR_INIT;

	(void)h;
	(void)n;
	if (!ask_from_store(ask))
		return;
	if (failure != NULL)
		err = *failure;
	else if (c != NULL)
		err_set(&err, EXIT_NEGATIVE, "too_late",
		    "command %s has ended already: %s", ask->command_id,
		    state_word(c->state));
	else
		err_set(&err, EXIT_NEGATIVE, "command_unknown", "no command %s",
		    ask->command_id);
	ask_fail(ask, &err);
}

static void
look_up(struct ctl_ask *ask)
{
	struct err err = ERR_INIT;

	ask_to_store(ask);
	if (!store_get(core_store(ask_core(ask)), ask->command_id, on_stored,
		ask, &err))
		ask_store_failed(ask, &err);
}

static void wait_for_disk(struct ctl_ask *);

/* "cancelled" is said once the disk knows it: else a hub that is killed now
 * would send the command after all. */
static void
on_taken_back(void *arg, const struct store_command *c,
    const struct store_history *h, size_t n, const struct err *failure)
{
	struct ctl_ask *ask = arg;
	struct err err = ERR_INIT;

	(void)h;
	(void)n;
	if (!ask_from_store(ask))
		return;
	if (failure == NULL && (c == NULL || c->state == CMD_CANCELLED)) {
		answer(ask, "cancelled");
		return;
	}
	/* its acceptance was on its way to the disk before it: once more */
	if (failure == NULL && ask->page++ == 0) {
		wait_for_disk(ask);
		return;
	}
	err_set(&err, EXIT_IO, "io",
	    "command %s is taken back, but the disk refuses to store that: a "
	    "hub that dies now would send it later",
	    ask->command_id);
	ask_fail(ask, &err);
}

static void
wait_for_disk(struct ctl_ask *ask)
{
	struct err err = ERR_INIT;

	ask_to_store(ask);
	if (!store_get(core_store(ask_core(ask)), ask->command_id,
		on_taken_back, ask, &err))
		ask_store_failed(ask, &err);
}

/* ---- the agent's word ----------------------------------------------------- */

static void
say_cancelling(struct ctl_ask *ask)
{
	answer(ask, "cancelling");
}

static void
wait_at_most(struct ctl_ask *ask, const struct command *c)
{
	int64_t most = core_limits(ask_core(ask))->cancel_wait_ms, by;

	if (c->state == CMD_STARTED && most > RUNNING_WAIT_MS)
		most = RUNNING_WAIT_MS;
	by = core_mono(ask_core(ask)) + most;
	if (ask->deadline == 0 || by < ask->deadline)
		ask->deadline = by;
}

static void
on_step(struct watcher *w, const struct command *c)
{
	wait_at_most((struct ctl_ask *)w, c);
}

static void
on_ended(struct watcher *w, const struct command *c, const json_t *result)
{
	struct ctl_ask *ask = (struct ctl_ask *)w;
	const char *reason = js_str(result, "reason");
	struct err err = ERR_INIT;

	if (c->state == CMD_CANCELLED) {
		ask->deadline = 0;
		wait_for_disk(ask);
		return;
	}
	err_set(&err, EXIT_NEGATIVE, "too_late",
	    "command %s ended before it could be cancelled: %s%s%s", c->id,
	    state_word(c->state), reason != NULL ? ", " : "",
	    reason != NULL ? reason : "");
	ask_fail(ask, &err);
}

static void
wait_for_agent(struct ctl_ask *ask)
{
	struct command *c = command_find(ask_core(ask), ask->command_id);

	ask->watcher = (struct watcher){ .step = on_step, .ended = on_ended };
	ask->on_deadline = say_cancelling;
	wait_at_most(ask, c);
	command_watch(c, &ask->watcher);
}

void
ctl_take_back(struct ctl_ask *ask, int signal, int64_t grace_ms)
{
	struct err err = ERR_INIT;
	const char *word;

	if (command_cancel(ask_core(ask), ask->command_id, signal, grace_ms,
		&word, &err)) {
		if (strcmp(word, "cancelled") == 0)
			wait_for_disk(ask);
		else
			wait_for_agent(ask);
	} else if (strcmp(err.code, "command_unknown") == 0) {
		look_up(ask);
	} else {
		ask_fail(ask, &err);
	}
}

void
ctl_op_cancel(struct ctl_ask *ask, const json_t *request)
{
	int64_t number = SIGTERM, grace = GRACE_MS;
	struct err err = ERR_INIT;
	const char *id;

	if (!ctl_need_str(request, "command_id", &id, &err) ||
	    !take_signal(request, &number, &err) ||
	    !js_take_int(request, "grace_ms", 0, GRACE_MAX_MS, &grace, &err)) {
		ask_fail(ask, &err);
		return;
	}
	str_copy(ask->command_id, sizeof ask->command_id, id);
	ctl_take_back(ask, (int)number, grace);
}
