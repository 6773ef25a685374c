/*
 * store_kit - a store in a private directory, and what its answers were
 */
#ifndef EWS_TESTS_STORE_KIT_H
#define EWS_TESTS_STORE_KIT_H

#include "check.h"
#include "ewsd/store/store.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "scratch.h"

static inline struct store *
try_open(struct scratch *s, struct err *err)
{
	struct store_config cfg = { .max_jobs = 1000, .retry_ms = 20 };

	cfg.path = scratch_path(s, "ews.db");
	return store_open(&cfg, err);
}

static inline struct store *
must_open(struct scratch *s)
{
	struct err err = ERR_INIT;
	struct store *st = try_open(s, &err);

	if (st == NULL)
		fail_msg("%s", err.text);
	return st;
}

static inline struct store_command
a_command(const char *id)
{
	return (struct store_command){
		.id = id,
		.agent = "mini",
		.type = "echo",
		.payload = "{\"text\":\"hi\"}",
		.payload_len = 13,
		.argv = "[\"-n\"]",
		.asker = "uid:501",
		.priority = 2,
		.state = CMD_ACCEPTED,
		.created_ms = 1000,
		.deadline_ms = 30000,
		.flags = STORE_STREAM,
	};
}

struct verdict {
	int done;
	enum store_accepted accepted;
	enum command_state state; /* of the existing one */
	int status;
};

static inline void
on_accept(void *arg, enum store_accepted a, const struct store_command *c,
    const struct err *err)
{
	struct verdict *v = arg;

	v->done++;
	v->accepted = a;
	v->state = c != NULL ? c->state : CMD_STATES;
	v->status = err != NULL ? err->status : 0;
}

static inline struct verdict
accept_it(struct store *st, const struct store_command *c)
{
	struct verdict v = { 0, STORE_NEW, CMD_STATES, 0 };

	assert_true(store_accept(st, c, on_accept, &v, NULL));
	store_flush(st);
	assert_int_equal(v.done, 1);
	return v;
}

static inline void
accept_new(struct store *st, const char *id)
{
	struct store_command c = a_command(id);
	struct verdict v = accept_it(st, &c);

	assert_int_equal(v.accepted, STORE_NEW);
	assert_int_equal(v.status, 0);
}

/* Pours what a callback is lent into text, so that it can be compared. */
struct seen {
	int done, status;
	size_t n, lines;
	char text[4096], history[4096];
};

static inline void
pour(char *to, size_t size, const char *fmt, ...)
{
	size_t len = strlen(to);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(to + len, size - len, fmt, ap);
	va_end(ap);
}

static inline const char *
or_dash(const char *text)
{
	return text != NULL ? text : "-";
}

static inline void
see_command(void *arg, const struct store_command *c)
{
	struct seen *s = arg;

	s->n++;
	pour(s->text, sizeof s->text, "%s:%s ", c->id, state_word(c->state));
}

static inline void
see_got(void *arg, const struct store_command *c, const struct store_history *h,
    size_t n, const struct err *err)
{
	struct seen *s = arg;

	s->done++;
	s->status = err != NULL ? err->status : 0;
	s->lines = n;
	if (c == NULL)
		return;
	s->n++;
	pour(s->text, sizeof s->text,
	    "%s %s %s %.*s %s %s p%d %s #%d c%lld u%lld d%lld f%u %s a%u",
	    c->id, c->agent, c->type, (int)c->payload_len, c->payload,
	    or_dash(c->argv), or_dash(c->asker), c->priority,
	    state_word(c->state), (int)c->seq, (long long)c->created_ms,
	    (long long)c->updated_ms, (long long)c->deadline_ms, c->flags,
	    or_dash(c->method), c->attempts);
	for (size_t i = 0; i < n; i++)
		pour(s->history, sizeof s->history, "%s@%lld(%s,%s) ",
		    h[i].is_note ? "note" : state_word(h[i].state),
		    (long long)h[i].at_ms, or_dash(h[i].method),
		    or_dash(h[i].note));
}

static inline void
see_list(
    void *arg, const struct store_command *c, size_t n, const struct err *err)
{
	struct seen *s = arg;

	s->done++;
	s->status = err != NULL ? err->status : 0;
	for (size_t i = 0; i < n; i++)
		see_command(s, &c[i]);
}

static inline struct seen
get(struct store *st, const char *id)
{
	struct seen s = { 0 };

	assert_true(store_get(st, id, see_got, &s, NULL));
	store_flush(st);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.status, 0);
	return s;
}

static inline struct seen
list(struct store *st, const struct store_filter *f)
{
	struct seen s = { 0 };

	assert_true(store_list(st, f, see_list, &s, NULL));
	store_flush(st);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.status, 0);
	return s;
}

static inline struct seen
load(struct store *st)
{
	struct seen s = { 0 };

	assert_true(store_load(st, see_command, &s, NULL));
	return s;
}

static inline void
on_done(void *arg, const struct err *err)
{
	*(int *)arg = err != NULL ? err->status : 0;
}

static inline void
step(struct store *st, const char *id, enum command_state state, int64_t at_ms)
{
	struct store_step s = { .state = state, .at_ms = at_ms };
	int status = -1;

	assert_true(store_step(st, id, &s, on_done, &status));
	store_flush(st);
	assert_int_equal(status, 0);
}

#endif
