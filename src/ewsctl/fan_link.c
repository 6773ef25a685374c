/* the hub's side of a fan: one connection, many requests */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "ewsctl/fan_priv.h"
#include "ewsctl/signals.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

static int64_t
now(void)
{
	return clock_mono(&clock_system);
}

/* ---- requests --------------------------------------------------------------- */

static json_t *
send_request(const struct fan *f, const struct fan_member *m)
{
	json_t *r = json_copy(f->request);
	bool cron = js_get(r, "cron") != NULL;

	json_object_set_new(r, "agent", json_string(m->agent));
	json_object_set_new(
	    r, cron ? "schedule_id" : "command_id", json_string(m->id));
	return r;
}

/* From the bytes on that have been passed on. */
static json_t *
watch_request(const struct fan *f, const struct fan_member *m)
{
	json_t *r = json_pack("{s:s, s:s, s:s}", "op", "watch", "command_id",
	    m->id, "wait", js_str(f->request, "wait"));

	if (!f->runs)
		return r;
	json_object_set_new(r, "stream", json_true());
	json_object_set_new(r, "stdout_from", json_integer(m->passed[0]));
	json_object_set_new(r, "stderr_from", json_integer(m->passed[1]));
	return r;
}

/* The id makes a send that is repeated the same command. */
bool
fan_begin(struct fan *f, struct fan_member *m, struct err *err)
{
	json_t *r = m->known ? watch_request(f, m) : send_request(f, m);

	m->request = ctl_send(f->ask->ctl, r, err);
	json_decref(r);
	return m->request != 0;
}

void
fan_cancel(struct fan *f, const struct fan_member *m, const char *signal)
{
	struct err e = ERR_INIT;
	json_t *r;

	if (f->ask->ctl == NULL)
		return;
	r = json_pack("{s:s, s:s, s:s, s:i}", "op", "cancel", "command_id",
	    m->id, "signal", signal, "grace_ms", SIGNALS_GRACE_MS);
	ctl_send(f->ask->ctl, r, &e);
	json_decref(r);
}

/* ---- a hub that comes and goes ------------------------------------------------ */

static int64_t
give_up_at(const struct fan *f)
{
	return f->lost_at + conf_int(f->ask->conf, SET_reconnect);
}

static void
give_up(struct fan *f, const struct err *why)
{
	bool unknown = f->handler && f->n_running > 0;

	err_set(f->err, unknown ? EXIT_UNKNOWN : why->status, why->code,
	    "the hub was lost: %.400s", why->text);
}

static void
lost(struct fan *f, const struct err *why)
{
	ctl_close(f->ask->ctl);
	f->ask->ctl = NULL;
	for (size_t i = 0; i < f->n_running; i++)
		f->running[i]->request = f->running[i]->look = 0;
	f->retry_at = now() + backoff_next(&f->backoff);
	if (!f->lost)
		f->lost_at = now();
	if (why->status != EXIT_UNREACHABLE && why->status != EXIT_RETRY)
		err_set(f->err, why->status, why->code, "%s", why->text);
	else if (now() >= give_up_at(f))
		give_up(f, why);
	else if (!f->lost)
		fan_say(f, "the hub went away; waiting for it");
	f->lost = true;
}

static void
reconnect(struct fan *f)
{
	struct err e = ERR_INIT;
	bool ok = ask_hub(f->ask, &e);

	for (size_t i = 0; ok && i < f->n_running; i++)
		ok = fan_begin(f, f->running[i], &e);
	if (!ok)
		lost(f, &e);
}

/* ---- answers -------------------------------------------------------------------- */

static struct fan_member *
find(const struct fan *f, int64_t request)
{
	for (size_t i = 0; request != 0 && i < f->n_running; i++)
		if (f->running[i]->request == request)
			return f->running[i];
	return NULL;
}

/* What was passed on before a reconnection may come once more. */
static void
take_bytes(struct fan *f, struct fan_member *m, json_t *record, int stream,
    const char *bytes, size_t len)
{
	int64_t offset = js_int(record, "offset", m->passed[stream]);
	int64_t old = m->passed[stream] - offset;

	if (old < 0) {
		fan_say(f, "%s: %lld bytes of its %s are lost", m->agent,
		    (long long)-old, stream == 0 ? "stdout" : "stderr");
		old = 0;
	}
	if (old >= (int64_t)len)
		return;
	m->passed[stream] = offset + (int64_t)len;
	f->out->record(f, m, record, stream, bytes + old, len - (size_t)old);
}

static void
take_output(struct fan *f, struct fan_member *m, json_t *record, int stream)
{
	const char *text = js_str(record, "data");
	const char *coded = js_str(record, "data64");
	size_t len = 0, room;
	char *bytes;

	if (text != NULL)
		take_bytes(f, m, record, stream, text,
		    json_string_length(js_get(record, "data")));
	if (text != NULL || coded == NULL)
		return;
	room = strlen(coded);
	bytes = mem_try(room + 1);
	if (bytes != NULL && str_unb64(bytes, room, coded, &len))
		take_bytes(f, m, record, stream, bytes, len);
	free(bytes);
}

static void
take_gap(struct fan *f, struct fan_member *m, const json_t *record)
{
	int stream = str_eq(js_str(record, "gap"), "stderr");
	int64_t to = js_int(record, "to", 0);

	if (to <= m->passed[stream])
		return;
	fan_say(f, "%s: %lld bytes of its %s are lost", m->agent,
	    (long long)(to - m->passed[stream]),
	    stream == 0 ? "stdout" : "stderr");
	m->passed[stream] = to;
}

/* It went between our look and our send: who is away is not waited for. */
static void
take_absence(struct fan *f, struct fan_member *m)
{
	if (!f->runs || m->received || m->away)
		return;
	m->away = true;
	fan_cancel(f, m, "TERM");
}

/* A send to an agent that is away says only that it is accepted; who goes
 * after this look, "away" tells of. */
static void
look(struct fan *f, struct fan_member *m)
{
	struct err e = ERR_INIT;
	json_t *r;

	if (!f->runs || m->look != 0)
		return;
	r = json_pack("{s:s, s:s}", "op", "agent", "agent", m->agent);
	m->look = ctl_send(f->ask->ctl, r, &e);
	json_decref(r);
}

static void
take_look(struct fan *f, int64_t id, const json_t *answer)
{
	const char *status = js_str(js_get(answer, "result"), "status");

	for (size_t i = 0; id != 0 && i < f->n_running; i++)
		if (f->running[i]->look == id && str_eq(status, "offline"))
			take_absence(f, f->running[i]);
}

static void
take_record(struct fan *f, struct fan_member *m, json_t *record)
{
	const char *stream = js_str(record, "stream");
	const char *state = js_str(record, "state");

	m->known = true;
	if (stream != NULL) {
		take_output(f, m, record, str_eq(stream, "stderr"));
		return;
	}
	if (js_get(record, "gap") != NULL)
		take_gap(f, m, record);
	else if (str_eq(js_str(record, "agent"), "away"))
		take_absence(f, m);
	else if (str_eq(state, "accepted"))
		look(f, m);
	else if (state != NULL)
		m->received = true;
	f->out->record(f, m, record, -1, NULL, 0);
}

/* True if the connection is of no use any more. */
static bool
take_failure(struct fan *f, struct fan_member *m, const struct err *err)
{
	if (str_eq(err->code, "draining"))
		return true;
	if (m->known && str_eq(err->code, "command_unknown")) {
		/* its acceptance did not get to the disk */
		struct err e = ERR_INIT;

		m->known = false;
		return !fan_begin(f, m, &e);
	}
	fan_ended(f, m, NULL, err);
	return false;
}

static bool
take(struct fan *f, json_t *answer, struct err *err)
{
	struct fan_member *m = find(f, js_int(answer, "id", 0));
	json_t *record = js_get(answer, "record");

	backoff_reset(&f->backoff);
	f->lost = false;
	if (m == NULL) {
		take_look(f, js_int(answer, "id", 0), answer);
		return true; /* or it is of a cancel */
	}
	if (record != NULL)
		take_record(f, m, record);
	else if (ctl_failed(answer, err))
		return !take_failure(f, m, err);
	else
		fan_ended(f, m, js_get(answer, "result"), NULL);
	return true;
}

/* ---- the wait ---------------------------------------------------------------------- */

static int
wait_ms(const struct fan *f)
{
	int64_t until = f->until, ms;

	if (f->ask->ctl == NULL && f->retry_at < until)
		until = f->retry_at;
	ms = until - now();
	return ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
}

/* At most so many at a time: signals are looked at between. */
enum { ANSWERS = 64 };

static void
receive(struct fan *f)
{
	bool good = true;

	for (int i = 0; good && i < ANSWERS && f->left_by == 0; i++) {
		struct err e = ERR_INIT;
		json_t *answer = ctl_recv(f->ask->ctl, 0, &e);

		if (answer == NULL && e.status == EXIT_DEADLINE)
			return;
		good = answer != NULL && take(f, answer, &e);
		json_decref(answer);
		if (!good)
			lost(f, &e);
	}
}

void
fan_turn(struct fan *f)
{
	struct pollfd p[2] = { { -1, POLLIN, 0 }, { signals_fd(), POLLIN, 0 } };
	bool ready = f->ask->ctl != NULL && ctl_ready(f->ask->ctl);

	if (f->ask->ctl != NULL) {
		p[0].fd = ctl_fd(f->ask->ctl);
		if (ctl_unsent(f->ask->ctl))
			p[0].events |= POLLOUT;
	}
	poll(p, 2, ready ? 0 : wait_ms(f));
	if (f->ask->ctl != NULL && (ready || p[0].revents != 0))
		receive(f);
	if (now() >= f->until)
		f->late = true;
	else if (f->ask->ctl == NULL && now() >= f->retry_at &&
		 !err_isset(f->err))
		reconnect(f);
}
