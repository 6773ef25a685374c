#include "ewsctl/session.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ewsctl/emit.h"
#include "ewsctl/session_priv.h"
#include "ewsctl/signals.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/prog.h"
#include "lib/str.h"

enum {
	SLACK_MS = 5000, /* the hub's own time-out answers first */
	SAY_MS = 500, /* so long may a reader of stderr stand still */
	RETRY_FIRST_MS = 100,
	RETRY_MAX_MS = 2000
};

static int64_t
now(void)
{
	return clock_mono(&clock_system);
}

void
session_say(const struct session *s, const char *fmt, ...)
{
	struct err e = ERR_INIT;
	va_list ap;

	if (conf_bool(s->ask->conf, SET_quiet) ||
	    !emit_room(STDERR_FILENO, SAY_MS))
		return;
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof e.text, fmt, ap);
	va_end(ap);
	prog_fail(&e);
}

/* ---- the hub -------------------------------------------------------------- */

static void
set(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

static json_t *
watch_request(const struct session *s)
{
	json_t *r = json_pack("{s:s, s:s}", "op", "watch", "command_id", s->id);
	json_t *wait = js_get(s->request, "wait");

	if (wait != NULL)
		json_object_set(r, "wait", wait);
	if (s->stream) {
		set(r, "stream", json_true());
		set(r, "stdout_from", json_integer(s->passed[0]));
		set(r, "stderr_from", json_integer(s->passed[1]));
	}
	if (s->input != NULL)
		set(r, "stdin", json_true());
	return r;
}

static bool
ask_now(struct session *s, struct err *err)
{
	int64_t left = s->until - now();
	json_t *r = s->known && s->id != NULL ? watch_request(s)
					      : json_copy((json_t *)s->request);

	set(r, "timeout_ms", json_integer(left > 0 ? left : 1));
	s->request_id = ctl_send(s->ask->ctl, r, err);
	json_decref(r);
	return s->request_id != 0;
}

static void
fail(struct session *s, const struct err *why)
{
	err_set(s->err, why->status, why->code, "%s", why->text);
	s->over = true;
}

/* For a hub that has been gone since 'lost_at'. */
static int64_t
give_up_at(const struct session *s, int64_t lost_at)
{
	int64_t at = lost_at + conf_int(s->ask->conf, SET_reconnect);

	return at < s->until ? at : s->until;
}

void
session_lost(struct session *s, const struct err *why)
{
	ctl_close(s->ask->ctl);
	s->ask->ctl = NULL;
	s->request_id = s->cancel_id = s->ping_id = 0;
	s->why = *why;
	if (!s->lost)
		s->lost_at = now();
	s->retry_at = now() + backoff_next(&s->backoff);
	if (s->input != NULL)
		input_pause(s->input);
	if (why->status != EXIT_UNREACHABLE && why->status != EXIT_RETRY)
		fail(s, why);
	else if (!s->lost && give_up_at(s, now()) > now())
		session_say(s, "the hub went away; waiting for it");
	s->lost = true;
}

/* Not every request is answered before its end: a ping is, and not by a
 * hub that hangs. */
static bool
ask_again(struct session *s, struct err *err)
{
	json_t *ping = json_pack("{s:s}", "op", "ping");

	if (ask_hub(s->ask, err) && ask_now(s, err))
		s->ping_id = ctl_send(s->ask->ctl, ping, err);
	json_decref(ping);
	return s->ping_id != 0;
}

static void
reconnect(struct session *s)
{
	struct err e = ERR_INIT;

	if (!ask_again(s, &e))
		session_lost(s, &e);
}

/* ---- the wait ------------------------------------------------------------- */

static int
wait_ms(const struct session *s)
{
	int64_t until = s->until + SLACK_MS, ms;

	if (s->ask->ctl != NULL && ctl_ready(s->ask->ctl))
		return 0;
	if (s->lost)
		until = give_up_at(s, s->lost_at);
	if (s->ask->ctl == NULL && s->retry_at < until)
		until = s->retry_at;
	ms = until - now();
	return ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
}

/* What a record made room for goes out before we wait again. */
static void
send_input(struct session *s)
{
	struct err e = ERR_INIT;

	if (s->input != NULL && s->ask->ctl != NULL &&
	    !input_send(s->input, s->ask->ctl, s->id, &e))
		session_lost(s, &e);
}

static void
read_input(struct session *s)
{
	if (input_read(s->input, s->err))
		return;
	/* what came so far must not pass for the whole */
	session_signal(s, "TERM");
	input_close(s->input);
}

static void
wait_for_something(struct session *s)
{
	const struct ctl *ctl = s->ask->ctl;
	bool reads = s->input != NULL && input_wants(s->input);
	struct pollfd p[3] = {
		{ .fd = signals_fd(), .events = POLLIN },
		{ .fd = ctl != NULL ? ctl_fd(ctl) : -1, .events = POLLIN },
		{ .fd = reads ? STDIN_FILENO : -1, .events = POLLIN },
	};

	if (ctl != NULL && ctl_unsent(ctl))
		p[1].events |= POLLOUT;
	if (poll(p, 3, wait_ms(s)) == -1)
		return; /* EINTR: the pipe has it */
	if (p[0].revents != 0)
		session_on_signal(s);
	if (!s->over && p[2].revents != 0)
		read_input(s);
}

/* One answer, if there is one. */
static void
listen_once(struct session *s)
{
	struct err e = ERR_INIT;
	json_t *answer = ctl_recv(s->ask->ctl, now(), &e);

	if (answer != NULL)
		session_take(s, answer);
	else if (e.status != EXIT_DEADLINE)
		session_lost(s, &e);
	json_decref(answer);
}

static void
check_time(struct session *s)
{
	struct err e = ERR_INIT;

	if (s->over)
		return;
	if (s->lost && now() >= give_up_at(s, s->lost_at)) {
		fail(s, &s->why);
	} else if (now() >= s->until + SLACK_MS) {
		err_set(&e, EXIT_DEADLINE, "deadline",
		    "no answer in the time given");
		fail(s, &e);
	}
}

static void
loop(struct session *s)
{
	while (!s->over) {
		if (s->ask->ctl != NULL)
			listen_once(s);
		else if (now() >= s->retry_at)
			reconnect(s);
		check_time(s);
		if (!s->over)
			send_input(s);
		if (!s->over)
			wait_for_something(s);
	}
}

/* ---- its end -------------------------------------------------------------- */

/* A hub that went away while a handler may be running: nobody knows. */
static void
outcome_unknown(struct session *s)
{
	bool handler = (s->flags & SESSION_HANDLER) != 0;
	struct err why = *s->err;

	if (!s->lost || s->id == NULL || !err_isset(&why) ||
	    why.status == EXIT_DEADLINE)
		return;
	err_clear(s->err);
	err_set(s->err, handler ? EXIT_UNKNOWN : why.status, why.code,
	    "%s: %.300s; later: ewsctl %s %s",
	    !s->known ? "whether the hub has it is not known"
	    : handler ? "the outcome is not known"
		      : "the hub was lost",
	    why.text, handler && s->known ? "attach" : "command", s->id);
}

static int
status_of(struct session *s)
{
	int status = EXIT_OK;

	if (s->left_by != 0)
		return EXIT_SIGNALLED + s->left_by;
	if (s->result == NULL || err_isset(s->err))
		return s->err->status;
	if (!(s->flags & SESSION_HANDLER))
		return EXIT_OK;
	status = exit_from_command(s->result);
	if (s->interrupts > 0 && status == EXIT_NOT_STARTED)
		return EXIT_INTERRUPTED;
	if (status == EXIT_OK && s->gap &&
	    conf_bool(s->ask->conf, SET_strict_output)) {
		err_set(s->err, EXIT_IO, "io",
		    "the output is not whole (--strict-output)");
		return EXIT_IO;
	}
	return status;
}

json_t *
session_run(struct ask *a, const json_t *request, const char *id,
    unsigned flags, int *status, struct err *err)
{
	struct session s = { .ask = a,
		.request = request,
		.id = id,
		.agent = js_str(request, "agent"),
		.flags = flags,
		.stream = js_bool(request, "stream", false),
		.known = (flags & SESSION_JOINS) != 0,
		.until = ask_deadline(conf_int(a->conf, SET_timeout)),
		.err = err };

	backoff_init(&s.backoff, RETRY_FIRST_MS, RETRY_MAX_MS);
	if (flags & SESSION_STDIN) /* a watch says so */
		s.input = input_new((flags & SESSION_JOINS) != 0);
	/* who cannot be asked the first time is told so at once */
	if (!ask_hub(a, err) || !ask_now(&s, err)) {
		*status = err->status;
		input_free(s.input);
		return NULL;
	}
	signals_catch();
	emit_watch(session_on_signal, &s);
	loop(&s);
	emit_watch(NULL, NULL);
	signals_release();
	if (s.result == NULL)
		outcome_unknown(&s);
	else
		session_check_output(&s);
	*status = status_of(&s);
	input_free(s.input);
	return s.result;
}
