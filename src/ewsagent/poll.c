#include "ewsagent/poll.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ewsagent/poll_priv.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum {
	KICK_MS = 20, /* acks of one burst share a request */
	NEWS_MS = 50, /* to ack commands before the next sync repeats them */
	QUICK_MS = 500, /* a held sync should not come back empty so soon */
	QUICK_REST_MS = 1000
};

static bool
is_busy(const struct poll *p)
{
	for (int i = 0; i < SYNCS; i++)
		if (p->syncs[i].call != NULL && !p->syncs[i].held)
			return true;
	return false;
}

static bool
is_held(const struct poll *p)
{
	for (int i = 0; i < SYNCS; i++)
		if (p->syncs[i].call != NULL && p->syncs[i].held)
			return true;
	return false;
}

/* Sends what may go out now. */
void
poll_run(struct poll *p)
{
	bool waits = outbox_next(p->config.outbox) != NULL;

	if (!p->on || p->resting)
		return;
	if (p->mode == POLL_PLAIN)
		poll_ack_next(p);
	if (is_busy(p))
		return;
	if (p->mode == POLL_V1 && waits) {
		poll_sync(p);
	} else if (p->due && !is_held(p)) {
		p->due = false;
		poll_sync(p);
	}
}

static void
wait_for_next(struct poll *p, int64_t ms)
{
	p->due = ms == 0;
	if (ms > 0)
		timer_set(p->pace, ms);
}

static void
on_pace(void *arg)
{
	struct poll *p = arg;

	p->resting = false;
	p->due = true;
	poll_run(p);
}

static void
on_kick(void *arg)
{
	poll_run(arg);
}

/* ---- answers ------------------------------------------------------- */

static int64_t
refused_rest(struct poll *p, int status)
{
	if (p->refused.attempts == 0)
		log_error("the hub refuses to be polled (HTTP %d): check the"
			  " secret (EDGE_SECRET or --secret-file) and --id",
		    status);
	return backoff_next(&p->refused);
}

void
poll_rest(struct poll *p, const struct fetch_answer *a)
{
	int64_t ms;

	p->works = false;
	p->broken = true;
	if (a->status == 401 || a->status == 403)
		ms = refused_rest(p, a->status);
	else
		ms = backoff_next(&p->retry);
	if (a->retry_after_ms > ms)
		ms = a->retry_after_ms < p->config.refused_max_ms
			 ? a->retry_after_ms
			 : p->config.refused_max_ms;
	if (a->status != 0)
		log_warn("HTTP poll failed: HTTP %d; again in %" PRId64 "ms",
		    a->status, ms);
	else
		log_warn("HTTP poll failed: %s; again in %" PRId64 "ms",
		    log_q(a->why), ms);
	p->resting = true;
	timer_set(p->pace, ms);
}

struct news {
	bool commands, others; /* but for the hello that is in each answer */
};

static struct news
news_of(const json_t *answer)
{
	struct news n = { .commands =
			      json_array_size(js_get(answer, "commands")) > 0 };
	json_t *f;
	size_t i;

	json_array_foreach(js_get(answer, "frames"), i, f)
	{
		const char *type = js_str(f, "type");

		if (str_eq(type, "command"))
			n.commands = true;
		else if (!str_eq(type, "hello"))
			n.others = true;
	}
	return n;
}

static void
plan_next(struct poll *p, const struct sync *s, const json_t *answer)
{
	int64_t took = clock_mono(p->config.clock) - s->begun_ms;
	struct news news = news_of(answer);

	if (p->offered_ms == 0)
		wait_for_next(p, p->interval_ms);
	else if (s->held && !s->passed && took < QUICK_MS && !news.commands &&
		 !news.others)
		wait_for_next(p, QUICK_REST_MS); /* no hot loop */
	else
		wait_for_next(p, news.commands ? NEWS_MS : 0);
}

void
poll_synced(void *arg, const struct fetch_answer *a)
{
	struct sync *s = arg;
	struct poll *p = s->poll;
	struct fetch_answer bad = *a;
	struct err err = ERR_INIT;
	json_t *answer = NULL;

	s->call = NULL;
	if (a->status == 200) {
		answer = js_read_object(a->body, a->len, &err);
		bad.status = 0;
		bad.why = err.text;
	}
	if (answer == NULL) {
		outbox_settle(p->config.outbox, s->batch, false);
		poll_rest(p, &bad);
		return;
	}
	backoff_reset(&p->retry);
	backoff_reset(&p->refused);
	p->works = true;
	poll_take(p, s, answer);
	plan_next(p, s, answer);
	json_decref(answer);
	poll_run(p);
}

/* ---- life ---------------------------------------------------------- */

struct poll *
poll_new(const struct poll_config *config, struct err *err)
{
	struct poll *p = mem_alloc(sizeof *p);
	struct fetch_config fetch = {
		.loop = config->loop,
		.ca_file = config->ca_file,
		.proxy = config->proxy,
		.connect_ms = config->connect_ms,
		.answer_max = config->answer_max,
	};

	p->config = *config;
	p->fetch = fetch_new(&fetch, err);
	if (p->fetch == NULL) {
		free(p);
		return NULL;
	}
	p->interval_ms = config->interval_ms;
	p->sync_url = hub_url_http(config->hub, "/edge/sync");
	p->ack_urls[0] = hub_url_http(config->hub, "/edge/command/ack");
	p->ack_urls[1] = hub_url_http(config->hub, "/edge/ack_command");
	p->pace = timer_new(config->loop, on_pace, p);
	p->kick = timer_new(config->loop, on_kick, p);
	backoff_init(&p->retry, config->retry_first_ms, config->retry_max_ms);
	backoff_init(
	    &p->refused, config->refused_first_ms, config->refused_max_ms);
	return p;
}

void
poll_start(struct poll *p)
{
	if (p->on)
		return;
	p->on = true;
	p->broken = false;
	p->mode = POLL_UNKNOWN;
	p->offered_ms = 0;
	p->due = true;
	log_info("Command delivery: HTTP polling every %" PRId64 "s",
	    (p->interval_ms + 999) / 1000);
	timer_set(p->kick, 0);
}

void
poll_stop(struct poll *p)
{
	p->on = p->works = p->resting = false;
	timer_stop(p->pace);
	timer_stop(p->kick);
	backoff_reset(&p->retry);
	for (int i = 0; i < SYNCS; i++) {
		struct sync *s = &p->syncs[i];

		if (s->call == NULL)
			continue;
		fetch_cancel(s->call);
		s->call = NULL;
		outbox_settle(p->config.outbox, s->batch, false);
	}
	if (p->ack != NULL) {
		fetch_cancel(p->ack);
		outbox_settle(p->config.outbox, p->ack_batch, false);
		poll_forget_ack(p);
	}
}

void
poll_free(struct poll *p)
{
	if (p == NULL)
		return;
	poll_stop(p);
	timer_free(p->pace);
	timer_free(p->kick);
	fetch_free(p->fetch);
	free(p->sync_url);
	free(p->ack_urls[0]);
	free(p->ack_urls[1]);
	free(p->last_command);
	free(p);
}

void
poll_kick(struct poll *p)
{
	if (p->on && !timer_active(p->kick))
		timer_set(p->kick, KICK_MS);
}

void
poll_set_interval(struct poll *p, int64_t seconds)
{
	int64_t s = seconds < 1 ? 1 : seconds > 300 ? 300 : seconds;

	if (p->interval_ms == s * 1000)
		return;
	p->interval_ms = s * 1000;
	log_info("the hub sets the polling interval to %" PRId64 "s", s);
}

bool
poll_on(const struct poll *p)
{
	return p->on;
}

bool
poll_works(const struct poll *p)
{
	return p->on && p->works;
}

bool
poll_v1(const struct poll *p)
{
	return poll_works(p) && p->mode == POLL_V1;
}

uint64_t
poll_requests(const struct poll *p)
{
	return fetch_count(p->fetch);
}
