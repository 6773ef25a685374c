/*
 * ctl_cancel - "cancel": taking a command back
 */
#include <signal.h>
#include <string.h>

#include "ewsd/dialect/ctl_priv.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

enum { GRACE_MS = 5000, GRACE_MAX_MS = 3600 * 1000, SIGNAL_MAX = 64 };

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
		ask, &err) &&
	    ask_from_store(ask))
		ask_fail(ask, &err);
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
		ask_reply(ask, json_pack("{s:s,s:s}", "command_id",
				   ask->command_id, "answer", "cancelled"));
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
		on_taken_back, ask, &err) &&
	    ask_from_store(ask))
		ask_fail(ask, &err);
}

void
ctl_op_cancel(struct ctl_ask *ask, const json_t *request)
{
	int64_t number = SIGTERM, grace = GRACE_MS;
	struct err err = ERR_INIT;
	const char *id, *word;

	if (!ctl_need_str(request, "command_id", &id, &err) ||
	    !take_signal(request, &number, &err) ||
	    !js_take_int(request, "grace_ms", 0, GRACE_MAX_MS, &grace, &err)) {
		ask_fail(ask, &err);
		return;
	}
	str_copy(ask->command_id, sizeof ask->command_id, id);
	if (command_cancel(
		ask_core(ask), id, (int)number, grace, &word, &err) &&
	    strcmp(word, "cancelled") == 0)
		wait_for_disk(ask);
	else if (!err_isset(&err))
		ask_reply(ask,
		    json_pack("{s:s,s:s}", "command_id", id, "answer", word));
	else if (strcmp(err.code, "command_unknown") == 0)
		look_up(ask);
	else
		ask_fail(ask, &err);
}
