/*
 * core_kit - a core on a real store, a clock that stands still, and links
 * that note what they are asked
 */
#ifndef EWS_TESTS_CORE_KIT_H
#define EWS_TESTS_CORE_KIT_H

#include "ewsd/core/agents.h"
#include "ewsd/core/command.h"
#include "ewsd/core/core.h"
#include "lib/mem.h"
#include "store_kit.h"

struct kit {
	struct scratch *scratch;
	struct store *store;
	struct clock clock;
	struct core_limits limits;
	struct core *core;
};

/* What happened to one link or watcher, as words. */
struct log {
	char text[4096];
};

struct fake {
	struct kit *kit;
	struct log log;
	int room; /* deliveries it takes */
	int input_room; /* frames of input it takes */
	bool writes; /* says "written" at once */
	uint64_t tags[64]; /* of what it took, in order */
	int n;
};

static inline void
say(struct log *l, const char *fmt, ...)
{
	size_t len = strlen(l->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->text + len, sizeof l->text - len, fmt, ap);
	va_end(ap);
}

/* What was said since the last time. */
static inline const char *
said(struct log *l)
{
	static char last[4096];

	strcpy(last, l->text);
	l->text[0] = '\0';
	return last;
}

/* ---- a link ---------------------------------------------------------------- */

static inline bool
fake_deliver(void *link, struct command *c)
{
	struct fake *f = link;

	if (f->room == 0)
		return false;
	f->room--;
	say(&f->log, "%s ", c->id);
	assert_true(f->n < (int)N_OF(f->tags));
	f->tags[f->n++] = c->tag;
	if (f->writes)
		command_written(f->kit->core, c->tag);
	return true;
}

static inline void
fake_cancel(void *link, const struct command *c, int number, int64_t grace)
{
	struct fake *f = link;

	say(&f->log, "cancel:%s:%d:%d ", c->id, number, (int)grace);
}

static inline void
fake_credit(
    void *link, const struct command *c, enum output_stream s, int64_t offset)
{
	struct fake *f = link;

	say(&f->log, "credit:%s:%d:%d ", c->id, (int)s, (int)offset);
}

static inline bool
fake_attach(void *link, const struct command *c, const int64_t from[2])
{
	struct fake *f = link;

	say(&f->log, "attach:%s:%d:%d ", c->id, (int)from[0], (int)from[1]);
	return true;
}

static inline void
fake_stop(void *link, const char *id)
{
	struct fake *f = link;

	say(&f->log, "stop:%s ", id);
}

static inline bool
fake_input(void *link, const struct command *c, const struct input_chunk *k)
{
	struct fake *f = link;

	if (f->input_room == 0)
		return false;
	f->input_room--;
	say(&f->log, "input:%s:%d:%.*s%s ", c->id, (int)k->offset,
	    (int)(k->len < 40 ? k->len : 40), k->data, k->eof ? ":eof" : "");
	return true;
}

static inline void
fake_confirm(void *link, const char *id)
{
	struct fake *f = link;

	say(&f->log, "confirm:%s ", id);
}

static inline bool
fake_config(void *link, const json_t *o)
{
	struct fake *f = link;

	say(&f->log, "config:%d ", (int)json_object_size(o));
	return true;
}

static inline void
fake_replaced(void *link)
{
	struct fake *f = link;

	say(&f->log, "replaced ");
}

static const struct link_ops fake_ours = { .deliver = fake_deliver,
	.cancel = fake_cancel,
	.credit = fake_credit,
	.attach = fake_attach,
	.stop = fake_stop,
	.input = fake_input,
	.confirm = fake_confirm,
	.config = fake_config,
	.replaced = fake_replaced };
static const struct link_ops fake_foreign = { .deliver = fake_deliver,
	.replaced = fake_replaced };

static inline struct fake
fake_link(struct kit *k)
{
	return (struct fake){
		.kit = k, .room = 1000, .input_room = 1000, .writes = true
	};
}

static inline struct agent *
connect_as(
    struct kit *k, struct fake *f, enum link_kind kind, const char *instance)
{
	struct agent *a = agent_get(k->core, "mini", NULL);
	struct link_about about = { .kind = kind,
		.link = f,
		.ours = instance != NULL,
		.instance = instance,
		.ops = instance != NULL ? &fake_ours : &fake_foreign,
		.address = "127.0.0.1" };

	assert_non_null(a);
	agent_attach(a, &about);
	return a;
}

/* Our own agent, greeted and pumped. */
static inline struct agent *
connect_ours(struct kit *k, struct fake *f)
{
	struct agent *a = connect_as(k, f, LINK_WEBSOCKET, "i1");

	agent_hello(a, "i1", NULL, 0);
	agent_attach_outputs(a);
	agent_pump(a);
	return a;
}

static inline struct agent *
connect_foreign(struct kit *k, struct fake *f)
{
	return connect_as(k, f, LINK_WEBSOCKET, NULL);
}

/* ---- a watcher ------------------------------------------------------------- */

struct eye {
	struct watcher w;
	struct log log;
};

static inline void
eye_accepted(struct watcher *w, const struct command *c, bool duplicate,
    const struct err *err)
{
	struct eye *e = (struct eye *)w;

	if (err != NULL)
		say(&e->log, "refused:%s ", err->code);
	else
		say(&e->log, "accepted%s:%s ", duplicate ? "-again" : "",
		    c->id);
}

static inline void
eye_step(struct watcher *w, const struct command *c)
{
	say(&((struct eye *)w)->log, "%s ", state_word(c->state));
}

static inline void
eye_output(struct watcher *w, const struct command *c, enum output_stream s,
    int64_t offset, const char *data, size_t len, bool b64, size_t bytes)
{
	(void)c;
	(void)bytes;
	say(&((struct eye *)w)->log, "%s@%d:%.*s%s ", s ? "err" : "out",
	    (int)offset, (int)(len < 40 ? len : 40), data, b64 ? "=b64" : "");
}

static inline void
eye_ended(struct watcher *w, const struct command *c, const json_t *result)
{
	json_t *code = json_object_get(result, "exit_code");
	struct eye *e = (struct eye *)w;

	say(&e->log, "end:%s", state_word(c->state));
	if (code != NULL)
		say(&e->log, "(%d)", (int)json_integer_value(code));
	say(&e->log, " ");
}

static inline void
eye_input(struct watcher *w, const struct command *c, int64_t offset,
    bool resume, bool closed)
{
	(void)c;
	say(&((struct eye *)w)->log, "input@%d%s%s ", (int)offset,
	    resume ? ":resume" : "", closed ? ":closed" : "");
}

static inline void
eye_presence(struct watcher *w, const struct command *c, bool away)
{
	(void)c;
	say(&((struct eye *)w)->log, "%s ", away ? "away" : "back");
}

static inline void
eye_open(struct eye *e, bool output)
{
	memset(e, 0, sizeof *e);
	e->w = (struct watcher){ .accepted = eye_accepted,
		.step = eye_step,
		.output = output ? eye_output : NULL,
		.ended = eye_ended };
}

/* ---- doing things ------------------------------------------------------------ */

static inline struct command_request
a_request(const char *id)
{
	return (struct command_request){ .agent = "mini",
		.type = "echo",
		.id = id,
		.asker = "uid:501",
		.priority = PRIO_NORMAL,
		.queue_unknown = true };
}

/* Whatever waits for the disk has happened after it, and what that led to. */
static inline void
synced(struct kit *k)
{
	struct store_stats s;
	uint64_t before;

	/* what a flush led to may be written already, and not told */
	do {
		store_stats(k->store, &s);
		before = s.writes;
		store_flush(k->store);
		store_stats(k->store, &s);
	} while (s.waiting > 0 || s.writes != before);
}

static inline void
send_as(struct kit *k, const struct command_request *r)
{
	struct err err = ERR_INIT;

	if (!command_submit(k->core, r, NULL, &err))
		fail_msg("%s", err.text);
	synced(k);
}

static inline void
send_it(struct kit *k, const char *id, enum command_priority p)
{
	struct command_request r = a_request(id);

	r.priority = p;
	send_as(k, &r);
}

static inline void
send_typed(struct kit *k, const char *id, const char *type)
{
	struct command_request r = a_request(id);

	r.type = type;
	send_as(k, &r);
}

static inline void
ack(struct kit *k, const char *id, enum ack_word word, int exit_code)
{
	struct command_ack a = COMMAND_ACK_INIT;

	a.id = id;
	a.word = word;
	a.exit_code = exit_code;
	command_acked(k->core, agent_find(k->core, "mini"), &a, NULL, NULL);
	synced(k);
}

static inline void
ack_reason(struct kit *k, const char *id, const char *reason)
{
	struct command_ack a = COMMAND_ACK_INIT;

	a.id = id;
	a.word = ACK_FAILED;
	a.reason = reason;
	command_acked(k->core, agent_find(k->core, "mini"), &a, NULL, NULL);
	synced(k);
}

/* The state that the disk knows. */
static inline void
keep_state(void *arg, const struct store_command *c,
    const struct store_history *h, size_t n, const struct err *err)
{
	(void)h;
	(void)n;
	(void)err;
	*(const char **)arg = c != NULL ? state_word(c->state) : "none";
}

static inline const char *
stored_state(struct kit *k, const char *id)
{
	const char *word = "unanswered";

	store_get(k->store, id, keep_state, &word, NULL);
	synced(k);
	return word;
}

/* ---- start and end ------------------------------------------------------------ */

static inline void
kit_start(struct kit *k)
{
	struct core_config c = { &k->clock, NULL, &k->limits };
	struct err err = ERR_INIT;

	c.store = k->store = must_open(k->scratch);
	k->core = core_new(&c, &err);
	if (k->core == NULL)
		fail_msg("%s", err.text);
	store_flush(k->store);
}

static inline void
kit_stop(struct kit *k)
{
	store_close(k->store);
	core_free(k->core);
}

/* As after a kill: nothing is said to anybody. */
static inline void
kit_restart(struct kit *k)
{
	kit_stop(k);
	kit_start(k);
}

static inline int
kit_setup(void **state)
{
	struct kit *k = calloc(1, sizeof *k);
	void *scratch;

	if (k == NULL || scratch_setup(&scratch) != 0)
		return -1;
	k->scratch = scratch;
	log_set_level(LOG_ERROR);
	clock_fake(&k->clock, 1700000000000);
	k->limits = (struct core_limits){ .payload = 1000,
		.queue_agent = 100,
		.queue_agent_bytes = 100000,
		.queue_total = 150,
		.queue_total_bytes = 1000000,
		.agents = 10,
		.inflight = 50,
		.flap_takeovers = 3,
		.flap_window_ms = 10000,
		.flap_hold_ms = 30000,
		.retain_ms = 86400000,
		.retain_count = 1000,
		.agent_log_keep = 100,
		.late_after_ms = 60000,
		.cancel_wait_ms = 5000,
		.schedules = 3,
		.schedules_bytes = 1000 };
	kit_start(k);
	*state = k;
	return 0;
}

static inline int
kit_teardown(void **state)
{
	struct kit *k = *state;
	void *scratch = k->scratch;

	kit_stop(k);
	scratch_teardown(&scratch);
	free(k);
	return 0;
}

#define KIT_TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

#endif
