#include "ewsagent/linkplan.h"

#include <string.h>

enum { TAKEN_SAY = 3 };

void
linkplan_init(struct linkplan *p, const struct linkplan_config *config)
{
	memset(p, 0, sizeof *p);
	p->config = *config;
	backoff_init(&p->usual, config->first_ms, config->max_ms);
	backoff_init(
	    &p->refused, config->refused_first_ms, config->refused_max_ms);
	/* it begins where the usual waits end: the other one shall win */
	backoff_init(&p->taken,
	    config->max_ms < config->refused_max_ms ? config->max_ms
						    : config->refused_max_ms,
	    config->refused_max_ms);
}

bool
linkplan_plain(const struct linkplan *p)
{
	return p->plain;
}

void
linkplan_forgive(struct linkplan *p)
{
	backoff_reset(&p->usual);
	backoff_reset(&p->refused);
	p->attempts = 0;
	p->failures = 0;
	p->shorts = 0;
	p->restarted = false;
}

void
linkplan_opened(struct linkplan *p, int64_t now_ms)
{
	p->opened_ms = now_ms;
	p->failures = 0;
	backoff_reset(&p->refused);
}

static struct linkplan_next
next(struct linkplan *p, enum plan_why why, int64_t wait_ms)
{
	return (struct linkplan_next){
		.why = why, .wait_ms = wait_ms, .attempt = ++p->attempts
	};
}

/* What a hub tells us is honoured as long as it is sane. */
static struct linkplan_next
told(struct linkplan *p, int64_t after_ms)
{
	int64_t max = p->config.refused_max_ms;

	return next(p, PLAN_TOLD, after_ms < max ? after_ms : max);
}

static struct linkplan_next
refused(struct linkplan *p)
{
	int64_t wait = backoff_next(&p->refused);
	struct linkplan_next n = next(p, PLAN_REFUSED, wait);

	n.say = p->refused.attempts == 1;
	return n;
}

struct linkplan_next
linkplan_failed(struct linkplan *p, int status, int64_t after_ms)
{
	struct linkplan_next n;
	int64_t wait;

	if (status == 400 && !p->plain) {
		p->plain = true;
		return next(p, PLAN_PLAIN, 0);
	}
	p->failures++;
	if (status == 401 || status == 403)
		return refused(p);
	p->plain = p->plain && status != 400;
	wait = backoff_next(&p->usual);
	if (after_ms >= 0)
		return told(p, after_ms > wait ? after_ms : wait);
	n = next(p, PLAN_BACKOFF, wait);
	n.poll = status != 429 && p->failures >= p->config.fallback_after;
	return n;
}

/* Two agents of one name would throw each other out for ever, and each of
 * them would be stable in between: so only a link that outlived the longest
 * wait of the other forgives this. */
static struct linkplan_next
taken_over(struct linkplan *p, int64_t held_ms)
{
	struct linkplan_next n;

	if (held_ms > p->config.refused_max_ms * 5 / 4)
		backoff_reset(&p->taken);
	n = next(p, PLAN_TAKEN, backoff_next(&p->taken));
	n.say = p->taken.attempts == TAKEN_SAY;
	return n;
}

struct linkplan_next
linkplan_closed(
    struct linkplan *p, int code, bool taken, int64_t after_ms, int64_t now_ms)
{
	int64_t held = now_ms - p->opened_ms;
	struct linkplan_next n;

	p->plain = false; /* the hub may be a newer one next time */
	if (held >= p->config.stable_ms)
		linkplan_forgive(p);
	else
		p->shorts++;
	if (taken && p->config.yields)
		return taken_over(p, held);
	if ((code == 1012 || after_ms >= 0) && !p->restarted) {
		p->restarted = true;
		return after_ms >= 0 ? told(p, after_ms)
				     : next(p, PLAN_AT_ONCE, 0);
	}
	if (after_ms >= p->config.first_ms)
		return told(p, after_ms);
	n = next(p, PLAN_BACKOFF, backoff_next(&p->usual));
	/* links that open and fall at once are as bad as none */
	n.poll = p->shorts > p->config.fallback_after ||
		 p->config.fallback_after == 0;
	return n;
}
