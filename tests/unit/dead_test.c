#include <sqlite3.h>

#include "core_kit.h"
#include "ewsd/core/core_priv.h"
#include "ewsd/core/requeue.h"

/* ---- what ends badly ----------------------------------------------------- */

/* As whoever ends it: on disk when this returns. */
static void
ends(
    struct kit *k, const char *id, enum command_state state, const char *reason)
{
	struct store_outcome how = STORE_OUTCOME_INIT;

	how.reason = reason;
	command_finish(command_find(k->core, id), state, &how,
	    core_wall(k->core), NULL, NULL, NULL);
	synced(k);
}

static void
fill(struct kit *k)
{
	static const struct {
		const char *id, *type;
		enum command_state state;
		const char *reason;
	} ended[] = {
		{ "c1", "a", CMD_EXPIRED, "ttl" },
		{ "c2", "b", CMD_DONE, NULL },
		{ "c3", "a", CMD_REFUSED, "not_allowed" },
		{ "c4", "b", CMD_FAILED, "no_handler" },
		{ "c5", "a", CMD_FAILED, "timeout" },
		{ "c6", "b", CMD_DEAD, "evicted" },
		{ "c7", "a", CMD_CANCELLED, "cancelled" },
		{ "c8", "b", CMD_INTERRUPTED, "interrupted" },
		{ "c9", "a", CMD_FAILED, NULL },
	};

	for (size_t i = 0; i < N_OF(ended); i++) {
		send_typed(k, ended[i].id, ended[i].type);
		ends(k, ended[i].id, ended[i].state, ended[i].reason);
	}
	send_typed(k, "live", "a");
}

static const char *
dead(struct kit *k, struct store_filter f)
{
	static struct seen s;

	f.dead = true;
	f.limit = f.limit != 0 ? f.limit : 100;
	s = list(k->store, &f);
	return s.text;
}

static void
what_ended_badly_is_listed_until_somebody_sees_to_it(void **state)
{
	struct kit *k = *state;

	fill(k);
	assert_string_equal(dead(k, (struct store_filter){ 0 }),
	    "c8:interrupted c6:dead c4:failed c3:refused c1:expired ");
	assert_string_equal(dead(k, (struct store_filter){ .type = "a" }),
	    "c3:refused c1:expired ");
	assert_string_equal(
	    dead(k, (struct store_filter){ .reason = "evicted" }), "c6:dead ");
	assert_string_equal(
	    dead(k, (struct store_filter){ .states = 1u << CMD_EXPIRED }),
	    "c1:expired ");
	assert_string_equal(
	    dead(k, (struct store_filter){ .id = "c4" }), "c4:failed ");
	assert_string_equal(dead(k, (struct store_filter){ .id = "c2" }), "");
	assert_string_equal(
	    dead(k, (struct store_filter){ .agent = "other" }), "");
	assert_string_equal(dead(k, (struct store_filter){ .limit = 2 }),
	    "c8:interrupted c6:dead ");
	assert_string_equal(dead(k, (struct store_filter){ .before_seq = 4 }),
	    "c3:refused c1:expired ");
}

/* ---- seeing to them -------------------------------------------------------- */

struct answer {
	int done;
	bool more;
	char code[32];
	size_t n;
	char text[2000]; /* what was asked for, with "-" if not done */
	char to[1000][129];
};

static void
on_answer(void *arg, const struct store_seen *all, size_t n, bool more,
    const struct err *err)
{
	struct answer *a = arg;

	a->done++;
	a->more = more;
	strcpy(a->code, err != NULL ? err->code : "");
	for (size_t i = 0; i < n; i++) {
		if (strlen(a->text) < sizeof a->text - 200)
			pour(a->text, sizeof a->text, "%s%s ",
			    all[i].done ? "" : "-", all[i].from);
		if (all[i].done)
			strcpy(a->to[a->n++], all[i].to);
	}
}

/* It goes to the store twice. */
static void
answered(struct kit *k, const struct answer *a)
{
	for (int i = 0; i < 3 && a->done == 0; i++)
		store_flush(k->store);
	assert_int_equal(a->done, 1);
	synced(k);
}

static struct answer *
requeue(struct kit *k, struct store_filter f)
{
	static struct answer a;

	memset(&a, 0, sizeof a);
	assert_true(requeue_again(k->core, &f, "uid:7", on_answer, &a, NULL));
	answered(k, &a);
	return &a;
}

static struct answer *
drop(struct kit *k, struct store_filter f)
{
	static struct answer a;

	memset(&a, 0, sizeof a);
	assert_true(requeue_drop(k->core, &f, on_answer, &a, NULL));
	answered(k, &a);
	return &a;
}

static void
a_requeued_command_is_a_new_one_with_the_same_content(void **state)
{
	struct kit *k = *state;
	struct command_request r = a_request("c1");
	struct answer *a;
	struct seen old, new;
	char want[400];

	r.payload = "{\"x\":0.10}";
	r.payload_len = strlen(r.payload);
	r.argv = "[\"a\"]";
	r.priority = PRIO_HIGH;
	r.deadline_ms = 7000;
	r.ttl_ms = 60000;
	r.at_least_once = r.stream = true;
	send_as(k, &r);
	clock_advance(&k->clock, 3000);
	ends(k, "c1", CMD_EXPIRED, "ttl");
	a = requeue(k, (struct store_filter){ .id = "c1" });
	assert_string_equal(a->text, "c1 ");
	assert_false(a->more);
	old = get(k->store, "c1");
	snprintf(want, sizeof want, "note@1700000003000(-,requeued_as %s) ",
	    a->to[0]);
	assert_non_null(strstr(old.history, want));
	new = get(k->store, a->to[0]);
	snprintf(want, sizeof want,
	    "%s mini echo {\"x\":0.10} [\"a\"] uid:7 p2 accepted #2 "
	    "c1700000003000 u1700000003000 d7000 f2 - a0",
	    a->to[0]);
	assert_string_equal(new.text, want);
	assert_string_equal(new.history,
	    "accepted@1700000003000(-,-) "
	    "note@1700000003000(-,requeued_from c1) ");
	assert_int_equal(
	    command_find(k->core, a->to[0])->expires_ms, 1700000063000);
	assert_string_equal(dead(k, (struct store_filter){ 0 }), "");
}

static void
a_requeued_command_is_delivered_and_survives_a_restart(void **state)
{
	struct kit *k = *state;
	struct fake f;
	struct answer *a;
	char id[129], want[200];

	fill(k);
	a = requeue(k, (struct store_filter){ .id = "c1" });
	strcpy(id, a->to[0]);
	kit_restart(k);
	f = fake_link(k);
	connect_ours(k, &f);
	snprintf(want, sizeof want, "live %s ", id);
	assert_string_equal(said(&f.log), want);
	ack(k, id, ACK_COMPLETED, 0);
	assert_string_equal(stored_state(k, id), "done");
}

static void
all_that_match_are_requeued_in_their_order(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct answer *a;

	fill(k);
	a = requeue(k, (struct store_filter){ .type = "b" });
	assert_string_equal(a->text, "c4 c6 c8 ");
	assert_false(a->more);
	assert_string_equal(
	    dead(k, (struct store_filter){ 0 }), "c3:refused c1:expired ");
	connect_ours(k, &f);
	assert_true(strcmp(a->to[0], a->to[1]) < 0);
	assert_int_equal(f.n, 4);
	/* nothing twice */
	assert_string_equal(
	    requeue(k, (struct store_filter){ .type = "b" })->text, "");
	assert_string_equal(
	    requeue(k, (struct store_filter){ .id = "c4" })->text, "");
}

static void
two_who_requeue_the_same_at_once_make_one(void **state)
{
	struct kit *k = *state;
	struct store_filter f = { .id = "c1" };
	struct answer a[2] = { 0 };

	fill(k);
	for (int i = 0; i < 2; i++)
		assert_true(requeue_again(
		    k->core, &f, "uid:7", on_answer, &a[i], NULL));
	answered(k, &a[1]);
	assert_int_equal(a[0].n + a[1].n, 1);
	assert_int_equal(agent_find(k->core, "mini")->waiting, 2);
	assert_string_equal(a[1].text, "-c1 ");
}

static void
a_full_queue_takes_what_fits_and_then_refuses(void **state)
{
	struct kit *k = *state;
	struct answer *a;

	fill(k);
	k->limits.queue_agent = 3;
	a = requeue(k, (struct store_filter){ 0 });
	assert_string_equal(a->text, "c1 c3 ");
	assert_true(a->more);
	a = requeue(k, (struct store_filter){ 0 });
	assert_string_equal(a->code, "queue_full");
	assert_string_equal(dead(k, (struct store_filter){ 0 }),
	    "c8:interrupted c6:dead c4:failed ");
	assert_int_equal(agent_find(k->core, "mini")->waiting, 3);
}

static void
no_more_than_a_thousand_go_at_once(void **state)
{
	struct kit *k = *state;
	struct store_command c = a_command("");
	struct store_step s = { .state = CMD_EXPIRED, .at_ms = 1 };
	char id[16];

	k->limits.queue_agent = k->limits.queue_total = 5000;
	c.payload = NULL;
	for (int i = 0; i < 1100; i++) {
		snprintf(id, sizeof id, "c%d", i);
		c.id = id;
		accept_it(k->store, &c);
		store_step(k->store, id, &s, NULL, NULL);
		if (i % 100 == 0)
			synced(k);
	}
	kit_restart(k);
	assert_int_equal(requeue(k, (struct store_filter){ 0 })->n, 1000);
	assert_true(requeue(k, (struct store_filter){ 0 })->n == 100);
	assert_false(requeue(k, (struct store_filter){ 0 })->more);
	assert_int_equal(agent_find(k->core, "mini")->waiting, 1100);
}

static void
what_is_dropped_is_listed_no_more_and_stays_until_retention(void **state)
{
	struct kit *k = *state;
	struct answer *a;

	fill(k);
	a = drop(k, (struct store_filter){ .id = "c3" });
	assert_string_equal(a->text, "c3 ");
	a = drop(k, (struct store_filter){ .states = 1u << CMD_FAILED });
	assert_string_equal(a->text, "c4 ");
	assert_string_equal(dead(k, (struct store_filter){ 0 }),
	    "c8:interrupted c6:dead c1:expired ");
	assert_string_equal(stored_state(k, "c3"), "refused");
	assert_non_null(strstr(get(k->store, "c3").history, "dropped"));
	a = drop(k, (struct store_filter){ 0 });
	assert_int_equal(a->n, 3);
	assert_string_equal(dead(k, (struct store_filter){ 0 }), "");
	clock_advance(&k->clock, k->limits.retain_ms + 1000);
	core_tick(k->core);
	synced(k);
	assert_string_equal(stored_state(k, "c3"), "none");
}

static void
what_the_disk_changed_is_told_and_not_sent_again(void **state)
{
	struct kit *k = *state;
	sqlite3 *db;

	fill(k);
	store_flush(k->store);
	log_set_level(LOG_ERROR);
	assert_int_equal(
	    sqlite3_open(scratch_path(k->scratch, "ews.db"), &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	assert_int_equal(sqlite3_exec(db,
			     "UPDATE payloads SET payload = '{\"evil\":1}'"
			     " WHERE seq = 1",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	assert_string_equal(
	    requeue(k, (struct store_filter){ .type = "a" })->text, "c3 ");
	assert_string_equal(
	    dead(k, (struct store_filter){ .type = "a" }), "c1:dead ");
	assert_string_equal(
	    requeue(k, (struct store_filter){ .id = "c1" })->text, "");
	assert_int_equal(drop(k, (struct store_filter){ .id = "c1" })->n, 1);
}

static void
a_draining_hub_requeues_nothing(void **state)
{
	struct kit *k = *state;

	fill(k);
	core_drain(k->core);
	assert_string_equal(
	    requeue(k, (struct store_filter){ 0 })->code, "draining");
	assert_string_equal(dead(k, (struct store_filter){ .type = "a" }),
	    "c3:refused c1:expired ");
}

/* ---- never received ---------------------------------------------------------- */

static void
comes_and_goes(struct kit *k)
{
	struct fake f = fake_link(k);

	agent_detach(connect_ours(k, &f), &f, "cut");
	synced(k);
}

static void
what_is_delivered_and_never_received_is_dead_at_last(void **state)
{
	struct kit *k = *state;
	struct fake f;

	k->limits.max_deliveries = 4;
	send_it(k, "c1", PRIO_NORMAL);
	comes_and_goes(k);
	comes_and_goes(k);
	kit_restart(k); /* the count is on disk */
	comes_and_goes(k);
	comes_and_goes(k);
	assert_string_equal(stored_state(k, "c1"), "accepted");
	f = fake_link(k);
	connect_ours(k, &f);
	synced(k);
	assert_int_equal(f.n, 0);
	assert_string_equal(stored_state(k, "c1"), "dead");
	assert_string_equal(
	    dead(k, (struct store_filter){ .reason = "undeliverable" }),
	    "c1:dead ");
}

static void
one_that_the_agent_has_is_not_given_up(void **state)
{
	struct kit *k = *state;
	struct fake f;

	k->limits.max_deliveries = 2;
	send_it(k, "c1", PRIO_NORMAL);
	comes_and_goes(k);
	f = fake_link(k);
	connect_ours(k, &f);
	ack(k, "c1", ACK_RECEIVED, -1);
	for (int i = 0; i < 3; i++)
		comes_and_goes(k);
	assert_string_equal(stored_state(k, "c1"), "received");
}

/* "Not now" is a word of the agent's: it is there. */
static void
a_full_agent_is_asked_again_without_end(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	k->limits.max_deliveries = 3;
	connect_ours(k, &f);
	send_it(k, "c1", PRIO_NORMAL);
	for (int i = 0; i < 10; i++) {
		ack_reason(k, "c1", "queue_full");
		clock_advance(&k->clock, 1100);
		core_tick(k->core);
		synced(k);
	}
	assert_string_equal(stored_state(k, "c1"), "delivered");
	assert_int_equal(command_find(k->core, "c1")->attempts, 1);
	assert_non_null(strstr(get(k->store, "c1").text, "a1"));
}

/* ---- a full queue -------------------------------------------------------------- */

static bool
send_evicting(
    struct kit *k, const char *id, enum command_priority p, struct err *err)
{
	struct command_request r = a_request(id);
	bool ok;

	r.priority = p;
	r.evict_oldest = true;
	ok = command_submit(k->core, &r, NULL, err);
	synced(k);
	return ok;
}

static void
the_oldest_of_lowest_priority_makes_room_when_asked(void **state)
{
	struct kit *k = *state;
	struct eye eye;

	k->limits.queue_agent = 3;
	send_it(k, "n1", PRIO_NORMAL);
	send_it(k, "l1", PRIO_LOW);
	send_it(k, "l2", PRIO_LOW);
	eye_open(&eye, false);
	command_watch(command_find(k->core, "l1"), &eye.w);
	assert_true(send_evicting(k, "n2", PRIO_NORMAL, NULL));
	assert_string_equal(said(&eye.log), "end:dead ");
	assert_string_equal(
	    dead(k, (struct store_filter){ .reason = "evicted" }), "l1:dead ");
	assert_non_null(
	    strstr(get(k->store, "l1").history, "n2 took its place"));
	assert_true(send_evicting(k, "n3", PRIO_NORMAL, NULL));
	assert_true(send_evicting(k, "n4", PRIO_NORMAL, NULL));
	assert_string_equal(
	    dead(k, (struct store_filter){ .reason = "evicted" }),
	    "l2:dead l1:dead n1:dead ");
	assert_int_equal(agent_find(k->core, "mini")->waiting, 3);
}

static void
nothing_is_evicted_while_there_is_room(void **state)
{
	struct kit *k = *state;

	k->limits.queue_agent = 2;
	send_it(k, "n1", PRIO_NORMAL);
	assert_true(send_evicting(k, "n2", PRIO_NORMAL, NULL));
	/* a repeat takes no place either */
	assert_true(send_evicting(k, "n2", PRIO_NORMAL, NULL));
	assert_string_equal(dead(k, (struct store_filter){ 0 }), "");
}

static void
what_was_delivered_or_ranks_higher_is_not_evicted(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct err err = ERR_INIT;
	struct agent *a;

	k->limits.queue_agent = 2;
	f.room = 1;
	a = connect_ours(k, &f);
	send_it(k, "l1", PRIO_LOW); /* delivered */
	send_it(k, "h1", PRIO_HIGH);
	assert_false(send_evicting(k, "n1", PRIO_NORMAL, &err));
	assert_string_equal(err.code, "queue_full");
	assert_non_null(strstr(err.text, "2 of 2"));
	agent_detach(a, &f, "cut"); /* back in the queue, and yet delivered */
	assert_false(send_evicting(k, "n1", PRIO_NORMAL, NULL));
	assert_true(send_evicting(k, "h2", PRIO_HIGH, NULL));
	assert_string_equal(dead(k, (struct store_filter){ 0 }), "h1:dead ");
}

static void
many_who_evict_at_once_take_one_place_each(void **state)
{
	struct kit *k = *state;
	struct command_request r = a_request(NULL);

	k->limits.queue_agent = 4;
	for (int i = 0; i < 4; i++)
		send_it(
		    k, (const char *[]){ "a", "b", "c", "d" }[i], PRIO_NORMAL);
	r.evict_oldest = true;
	for (int i = 0; i < 3; i++)
		assert_true(command_submit(k->core, &r, NULL, NULL));
	synced(k);
	assert_string_equal(
	    dead(k, (struct store_filter){ 0 }), "c:dead b:dead a:dead ");
	assert_int_equal(agent_find(k->core, "mini")->waiting, 4);
}

static void
as_many_go_as_the_bytes_need(void **state)
{
	struct kit *k = *state;
	struct command_request r = a_request("big");
	char payload[512];

	k->limits.queue_agent_bytes = 1000;
	memset(payload, ' ', sizeof payload);
	payload[0] = '{';
	payload[sizeof payload - 1] = '}';
	r.payload = payload;
	r.evict_oldest = true;
	for (int i = 0; i < 4; i++) {
		r.id = (const char *[]){ "a", "b", "c", "d" }[i];
		r.payload_len = 250;
		payload[249] = '}';
		send_as(k, &r);
	}
	payload[249] = ' ';
	r.id = "big";
	r.payload_len = 500;
	payload[499] = '}';
	send_as(k, &r);
	assert_string_equal(
	    dead(k, (struct store_filter){ 0 }), "b:dead a:dead ");
	assert_int_equal(agent_find(k->core, "mini")->waiting_bytes, 1000);
}

/* ---- one id, two contents ---------------------------------------------------------- */

static void
send_other(struct kit *k, struct eye *eye, struct err *err)
{
	struct command_request r = a_request("c1");

	r.payload = "{\"other\":1}";
	r.payload_len = strlen(r.payload);
	eye_open(eye, false);
	command_submit(k->core, &r, &eye->w, err);
	synced(k);
}

static void
keep_refusal(struct watcher *w, const struct command *c, bool duplicate,
    const struct err *err)
{
	(void)c;
	(void)duplicate;
	assert_non_null(err);
	say(&((struct eye *)w)->log, "%s", err->text);
}

static void
a_conflict_tells_both_digests_also_after_a_restart(void **state)
{
	struct kit *k = *state;
	struct command_request r = a_request("c1");
	struct err err = ERR_INIT;
	char text[ERR_TEXT_MAX];
	struct eye eye;

	send_it(k, "c1", PRIO_NORMAL);
	send_other(k, &eye, &err);
	assert_string_equal(err.code, "conflict");
	strcpy(text, err.text);
	assert_non_null(strstr(text, "sha256 "));
	assert_non_null(strstr(text, ", given "));
	kit_restart(k);
	err_clear(&err);
	send_other(k, &eye, &err); /* it is in memory again */
	assert_string_equal(err.text, text);
	ends(k, "c1", CMD_DONE, NULL); /* now it is not */
	r.payload = "{\"other\":1}";
	r.payload_len = strlen(r.payload);
	eye_open(&eye, false);
	eye.w.accepted = keep_refusal;
	assert_true(command_submit(k->core, &r, &eye.w, NULL));
	synced(k);
	assert_string_equal(said(&eye.log), text);
}

static void
another_time_to_live_or_to_run_is_the_same_content(void **state)
{
	struct kit *k = *state;
	struct command_request r = a_request("c1");
	struct eye eye;

	r.run_at_ms = core_wall(k->core) + 60000;
	send_as(k, &r);
	assert_string_equal(stored_state(k, "c1"), "scheduled");
	r.run_at_ms += 1000;
	r.ttl_ms = 5000;
	eye_open(&eye, false);
	assert_true(command_submit(k->core, &r, &eye.w, NULL));
	assert_string_equal(said(&eye.log), "accepted-again:c1 ");
	assert_int_equal(command_find(k->core, "c1")->expires_ms, 0);
	watcher_stop(&eye.w);
	ends(k, "c1", CMD_EXPIRED, "ttl");
	eye_open(&eye, false);
	assert_true(command_submit(k->core, &r, &eye.w, NULL));
	synced(k);
	assert_string_equal(said(&eye.log), "accepted-again:c1 end:expired ");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		KIT_TEST(what_ended_badly_is_listed_until_somebody_sees_to_it),
		KIT_TEST(a_requeued_command_is_a_new_one_with_the_same_content),
		KIT_TEST(
		    a_requeued_command_is_delivered_and_survives_a_restart),
		KIT_TEST(all_that_match_are_requeued_in_their_order),
		KIT_TEST(two_who_requeue_the_same_at_once_make_one),
		KIT_TEST(a_full_queue_takes_what_fits_and_then_refuses),
		KIT_TEST(no_more_than_a_thousand_go_at_once),
		KIT_TEST(
		    what_is_dropped_is_listed_no_more_and_stays_until_retention),
		KIT_TEST(what_the_disk_changed_is_told_and_not_sent_again),
		KIT_TEST(a_draining_hub_requeues_nothing),
		KIT_TEST(what_is_delivered_and_never_received_is_dead_at_last),
		KIT_TEST(one_that_the_agent_has_is_not_given_up),
		KIT_TEST(a_full_agent_is_asked_again_without_end),
		KIT_TEST(the_oldest_of_lowest_priority_makes_room_when_asked),
		KIT_TEST(nothing_is_evicted_while_there_is_room),
		KIT_TEST(what_was_delivered_or_ranks_higher_is_not_evicted),
		KIT_TEST(many_who_evict_at_once_take_one_place_each),
		KIT_TEST(as_many_go_as_the_bytes_need),
		KIT_TEST(a_conflict_tells_both_digests_also_after_a_restart),
		KIT_TEST(another_time_to_live_or_to_run_is_the_same_content),
	};

	return RUN_TESTS(tests);
}
