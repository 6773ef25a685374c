#include "core_kit.h"

/* ---- doing things ---------------------------------------------------------- */

static void
chunk(struct kit *k, enum output_stream s, int64_t offset, const char *text)
{
	command_output(k->core, agent_find(k->core, "mini"), "c1", s, offset,
	    text, strlen(text), false, strlen(text));
}

static void
out(struct kit *k, int64_t offset, const char *text)
{
	chunk(k, OUTPUT_STDOUT, offset, text);
}

/* "c1" runs, and 'e' reads it from the start. */
static struct agent *
stream(struct kit *k, struct fake *f, struct eye *e)
{
	struct command_request r = a_request("c1");
	struct agent *a = connect_ours(k, f);

	r.stream = true;
	eye_open(e, true);
	assert_true(command_submit(k->core, &r, &e->w, NULL));
	synced(k);
	ack(k, "c1", ACK_EXECUTING, -1);
	said(&e->log);
	said(&f->log);
	return a;
}

static void
join(struct kit *k, struct eye *e, int64_t out_from, int64_t err_from)
{
	eye_open(e, true);
	e->w.presence = eye_presence;
	e->w.from[0] = out_from;
	e->w.from[1] = err_from;
	command_watch(command_find(k->core, "c1"), &e->w);
}

static void
done(struct kit *k, int64_t out_bytes, const struct store_kept *kept)
{
	struct command_ack a = COMMAND_ACK_INIT;

	a.id = "c1";
	a.word = ACK_COMPLETED;
	a.stdout_bytes = out_bytes;
	a.stderr_bytes = 0;
	a.kept = kept;
	command_acked(k->core, agent_find(k->core, "mini"), &a, NULL, NULL);
	synced(k);
}

static void
pass(struct kit *k, int64_t ms)
{
	clock_advance(&k->clock, ms);
	core_tick(k->core);
	synced(k);
}

/* ---- several readers ------------------------------------------------------- */

static void
each_reader_gets_every_byte_once_from_its_own_place(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye first, second, third;

	stream(k, &f, &first);
	out(k, 0, "abcdef");
	watcher_took(&first.w, OUTPUT_STDOUT, 6);
	assert_string_equal(said(&f.log), "credit:c1:0:6 ");
	join(k, &second, 2, 0);
	assert_string_equal(said(&f.log), "attach:c1:2:0 ");
	join(k, &third, 8, 0);
	assert_string_equal(said(&f.log), "");
	out(k, 6, "gh"); /* was on its way before the agent went back */
	assert_string_equal(said(&second.log), "");
	out(k, 2, "cdefgh");
	out(k, 8, "ij");
	assert_string_equal(
	    said(&first.log), "out@0:abcdef out@6:gh out@8:ij ");
	assert_string_equal(said(&second.log), "out@2:cdefgh out@8:ij ");
	assert_string_equal(said(&third.log), "out@8:ij ");
	watcher_stop(&first.w);
	watcher_stop(&second.w);
	watcher_stop(&third.w);
}

static void
credit_is_what_all_readers_have_taken(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye quick, slow;

	stream(k, &f, &quick);
	join(k, &slow, 0, 0);
	out(k, 0, "abcdef");
	watcher_took(&quick.w, OUTPUT_STDOUT, 6);
	assert_string_equal(said(&f.log), "");
	watcher_took(&slow.w, OUTPUT_STDOUT, 6);
	assert_string_equal(said(&f.log), "credit:c1:0:6 ");
	out(k, 6, "gh");
	watcher_took(&quick.w, OUTPUT_STDOUT, 8);
	watcher_stop(&slow.w);
	assert_string_equal(said(&f.log), "credit:c1:0:8 ");
	watcher_stop(&quick.w);
	assert_string_equal(said(&f.log), "stop:c1 ");
}

/* One that stands still costs only itself, and misses nothing. */
static void
a_reader_that_stands_still_is_left_behind_and_fetched_later(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye quick, slow;

	stream(k, &f, &quick);
	join(k, &slow, 0, 0);
	pass(k, 60000); /* to read nothing is not to stand still */
	out(k, 0, "abc");
	watcher_took(&quick.w, OUTPUT_STDOUT, 3);
	pass(k, 1500);
	assert_string_equal(said(&f.log), "");
	pass(k, 1000);
	assert_string_equal(said(&f.log), "credit:c1:0:3 ");
	out(k, 3, "def");
	watcher_took(&quick.w, OUTPUT_STDOUT, 6);
	assert_string_equal(said(&f.log), "credit:c1:0:6 ");
	assert_string_equal(said(&slow.log), "out@0:abc ");
	watcher_took(&slow.w, OUTPUT_STDOUT, 3);
	assert_string_equal(said(&f.log), "attach:c1:3:0 ");
	out(k, 3, "defghi");
	assert_string_equal(said(&quick.log), "out@0:abc out@3:def out@6:ghi ");
	assert_string_equal(said(&slow.log), "out@3:defghi ");
	watcher_took(&slow.w, OUTPUT_STDOUT, 9);
	assert_string_equal(said(&f.log), "");
	watcher_took(&quick.w, OUTPUT_STDOUT, 9);
	assert_string_equal(said(&f.log), "credit:c1:0:9 ");
	watcher_stop(&quick.w);
	said(&f.log);
	done(k, 9, NULL);
	assert_string_equal(said(&slow.log), "end:done(0) ");
}

static void
a_reader_that_comes_back_after_all_have_left_is_attached_again(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	out(k, 0, "abc");
	watcher_stop(&e.w);
	assert_string_equal(said(&f.log), "stop:c1 ");
	join(k, &e, 3, 0);
	assert_string_equal(said(&f.log), "attach:c1:3:0 ");
	watcher_stop(&e.w);
}

/* ---- links ----------------------------------------------------------------- */

static void
a_new_link_is_told_where_its_readers_are(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;
	struct agent *a = stream(k, &f, &e);

	e.w.presence = eye_presence;
	out(k, 0, "abc");
	chunk(k, OUTPUT_STDERR, 0, "oh");
	agent_detach(a, &f, "cut");
	assert_string_equal(said(&e.log), "out@0:abc err@0:oh away ");
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "attach:c1:3:2 ");
	assert_string_equal(said(&e.log), "back ");
	out(k, 3, "def");
	assert_string_equal(said(&e.log), "out@3:def ");
	watcher_stop(&e.w);
}

/* Each link is another window: a reader that stands still while links come
 * and go must not fill the memory. */
static void
what_is_unread_is_not_topped_up_by_new_links(void **state)
{
	static char big[32 * 1024 + 1];
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;
	struct agent *a = stream(k, &f, &e);
	int64_t at = 0;

	memset(big, 'x', sizeof big - 1);
	for (; at < 160 * 1024; at += 32 * 1024) {
		out(k, at, big);
		said(&e.log);
	}
	agent_detach(a, &f, "cut");
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "");
	watcher_took(&e.w, OUTPUT_STDOUT, 64 * 1024);
	assert_string_equal(said(&f.log), "attach:c1:163840:0 ");
	watcher_stop(&e.w);
}

static void
a_poll_is_told_once_and_again_after_a_silence(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;
	struct agent *a = stream(k, &f, &e);

	k->limits.output_wait_ms = 60000;
	agent_detach(a, &f, "cut");
	connect_as(k, &f, LINK_POLL, "i1");
	agent_attach_outputs(a);
	assert_string_equal(said(&f.log), "attach:c1:0:0 ");
	for (int i = 0; i < 3; i++) { /* or each poll would be news at once */
		agent_detach(a, &f, "answered");
		connect_as(k, &f, LINK_POLL, "i1");
		agent_attach_outputs(a);
	}
	assert_string_equal(said(&f.log), "");
	agent_unsaid(a); /* the answer that held it was never sent */
	agent_attach_outputs(a);
	assert_string_equal(said(&f.log), "attach:c1:0:0 ");
	pass(k, 14000);
	assert_string_equal(said(&f.log), "");
	pass(k, 2000); /* it may have been lost on its way */
	assert_string_equal(said(&f.log), "attach:c1:0:0 ");
	watcher_stop(&e.w);
}

static void
an_agent_that_begins_anew_by_poll_is_told_again(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;
	struct agent *a = stream(k, &f, &e);

	agent_detach(a, &f, "cut");
	connect_as(k, &f, LINK_POLL, "i1");
	agent_attach_outputs(a);
	out(k, 0, "abc");
	said(&f.log);
	ack(k, "c1", ACK_EXECUTING, -1);
	assert_string_equal(said(&f.log), "attach:c1:3:0 ");
	watcher_stop(&e.w);
}

static void
credit_between_two_polls_is_not_lost(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;
	struct agent *a = stream(k, &f, &e);

	agent_detach(a, &f, "cut");
	connect_as(k, &f, LINK_POLL, "i1");
	agent_attach_outputs(a);
	out(k, 0, "abc");
	agent_detach(a, &f, "answered");
	said(&f.log);
	watcher_took(&e.w, OUTPUT_STDOUT, 3);
	connect_as(k, &f, LINK_POLL, "i1");
	agent_attach_outputs(a);
	assert_string_equal(said(&f.log), "credit:c1:0:3 ");
	watcher_stop(&e.w);
}

/* ---- the end ----------------------------------------------------------------- */

static void
the_end_is_confirmed_when_its_readers_have_all(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	out(k, 0, "abc");
	done(k, 3, NULL);
	assert_string_equal(stored_state(k, "c1"), "done");
	assert_string_equal(said(&f.log), "");
	watcher_took(&e.w, OUTPUT_STDOUT, 3);
	assert_string_equal(said(&e.log), "out@0:abc end:done(0) ");
	assert_string_equal(said(&f.log), "credit:c1:0:3 stop:c1 confirm:c1 ");
	assert_null(command_find(k->core, "c1"));
}

static void
an_agent_that_stays_away_ends_the_wait(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;
	struct agent *a = stream(k, &f, &e);

	k->limits.output_wait_ms = 30000;
	out(k, 0, "abc");
	watcher_took(&e.w, OUTPUT_STDOUT, 3);
	done(k, 10, NULL);
	agent_detach(a, &f, "cut");
	said(&e.log);
	pass(k, 29000);
	assert_string_equal(said(&e.log), "");
	pass(k, 2000);
	assert_string_equal(said(&e.log), "end:done(0) ");
	assert_int_equal(e.w.from[0], 3); /* the rest is the store's matter */
}

static void
a_slow_reader_is_waited_for(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	k->limits.output_wait_ms = 30000;
	out(k, 0, "abc");
	done(k, 3, NULL);
	said(&e.log);
	for (int i = 0; i < 10; i++)
		pass(k, 20000);
	assert_string_equal(said(&e.log), "");
	watcher_took(&e.w, OUTPUT_STDOUT, 3);
	assert_string_equal(said(&e.log), "end:done(0) ");
}

static void
an_agent_that_lost_it_ends_the_wait_at_once(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	k->limits.output_wait_ms = 30000;
	done(k, 10, NULL);
	ack_reason(k, "c1", "lost");
	assert_string_equal(said(&e.log), "end:done(0) ");
}

/* ---- a reader that comes back ---------------------------------------------------- */

static void
a_reader_that_broke_off_finds_the_rest_for_a_while(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	k->limits.output_wait_ms = 30000;
	out(k, 0, "abc");
	watcher_stop(&e.w);
	done(k, 6, NULL);
	said(&f.log);
	join(k, &e, 3, 0);
	assert_string_equal(said(&f.log), "attach:c1:3:0 ");
	out(k, 3, "def");
	watcher_took(&e.w, OUTPUT_STDOUT, 6);
	assert_string_equal(said(&e.log), "out@3:def end:done(0) ");
	assert_non_null(strstr(said(&f.log), "confirm:c1"));
	assert_null(command_find(k->core, "c1"));
}

static void
a_reader_that_never_comes_back_is_not_waited_for_long(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	k->limits.output_wait_ms = 30000;
	watcher_stop(&e.w);
	done(k, 6, NULL);
	said(&f.log);
	pass(k, 29000);
	assert_string_equal(said(&f.log), "");
	pass(k, 2000);
	assert_string_equal(said(&f.log), "confirm:c1 ");
	assert_null(command_find(k->core, "c1"));
}

static void
after_a_restart_a_reader_gets_exactly_the_rest(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	k->limits.output_wait_ms = 30000;
	stream(k, &f, &e);
	out(k, 0, "abc");
	kit_restart(k);
	connect_ours(k, &f);
	done(k, 6, NULL); /* the agent is faster than the reader */
	assert_string_equal(said(&f.log), "");
	join(k, &e, 3, 0);
	assert_string_equal(said(&f.log), "attach:c1:3:0 ");
	out(k, 3, "def");
	watcher_took(&e.w, OUTPUT_STDOUT, 6);
	assert_string_equal(said(&e.log), "out@3:def end:done(0) ");
	assert_non_null(strstr(said(&f.log), "confirm:c1"));
}

/* The end is on disk, its reader is not through, and the hub is killed. */
static void
an_end_that_was_stored_but_not_read_is_not_confirmed_at_once(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	k->limits.output_wait_ms = 30000;
	stream(k, &f, &e);
	out(k, 0, "abc");
	done(k, 6, NULL);
	kit_restart(k);
	connect_ours(k, &f);
	assert_null(command_find(k->core, "c1"));
	done(k, 6, NULL); /* said again, as it was not confirmed */
	assert_string_equal(said(&f.log), "");
	join(k, &e, 3, 0);
	assert_string_equal(said(&f.log), "attach:c1:3:0 ");
	out(k, 3, "def");
	watcher_took(&e.w, OUTPUT_STDOUT, 6);
	assert_string_equal(said(&e.log), "out@3:def end:done(0) ");
	assert_non_null(strstr(said(&f.log), "confirm:c1"));
	assert_null(command_find(k->core, "c1"));
	done(k, 6, NULL); /* of which the agent heard nothing */
	pass(k, 31000);
	assert_non_null(strstr(said(&f.log), "confirm:c1"));
}

/* ---- what is kept ---------------------------------------------------------------- */

static void
keep(void *arg, const struct store_kept *kept, const struct err *err)
{
	char *text = arg;

	assert_null(err);
	strcpy(text, "none");
	if (kept != NULL)
		snprintf(text, 200, "%d:%.*s %d:%.*s",
		    (int)kept->streams[0].first, (int)kept->streams[0].len,
		    kept->streams[0].bytes, (int)kept->streams[1].first,
		    (int)kept->streams[1].len, kept->streams[1].bytes);
}

static const char *
kept_of(struct kit *k)
{
	static char text[200];

	strcpy(text, "unanswered");
	assert_true(store_kept(k->store, "c1", keep, text, NULL));
	synced(k);
	return text;
}

static const struct {
	size_t limit;
	struct store_kept kept;
	const char *stored;
} keeps[] = {
	{ 100, { { { 4, "last", 4 }, { 0, "oh", 2 } } }, "4:last 0:oh" },
	{ 3, { { { 4, "last", 4 }, { 0, "oh", 2 } } }, "5:ast 0:oh" },
	{ 100, { { { 0, NULL, 0 }, { 7, "\0x", 2 } } }, "0: 7:" },
	{ 0, { { { 4, "last", 4 }, { 0, "oh", 2 } } }, "none" },
	{ 100, { { { 0, NULL, 0 }, { 0, NULL, 0 } } }, "none" },
};

static void
the_last_output_is_stored_with_the_end_and_goes_with_it(void **state)
{
	struct kit *k = *state;

	k->limits.retain_ms = INT64_MAX / 2;
	for (size_t i = 0; i < N_OF(keeps); i++) {
		struct fake f = fake_link(k);

		k->limits.output_keep = keeps[i].limit;
		connect_ours(k, &f);
		send_it(k, "c1", PRIO_NORMAL);
		done(k, 8, &keeps[i].kept);
		assert_string_equal(kept_of(k), keeps[i].stored);
		kit_restart(k);
		assert_string_equal(kept_of(k), keeps[i].stored);
		store_prune(k->store, INT64_MAX, 0);
		synced(k);
		assert_string_equal(kept_of(k), "none");
		assert_string_equal(stored_state(k, "c1"), "none");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(each_reader_gets_every_byte_once_from_its_own_place),
		KIT_TEST(credit_is_what_all_readers_have_taken),
		KIT_TEST(
		    a_reader_that_stands_still_is_left_behind_and_fetched_later),
		KIT_TEST(
		    a_reader_that_comes_back_after_all_have_left_is_attached_again),
		KIT_TEST(a_new_link_is_told_where_its_readers_are),
		KIT_TEST(what_is_unread_is_not_topped_up_by_new_links),
		KIT_TEST(a_poll_is_told_once_and_again_after_a_silence),
		KIT_TEST(an_agent_that_begins_anew_by_poll_is_told_again),
		KIT_TEST(credit_between_two_polls_is_not_lost),
		KIT_TEST(the_end_is_confirmed_when_its_readers_have_all),
		KIT_TEST(an_agent_that_stays_away_ends_the_wait),
		KIT_TEST(a_slow_reader_is_waited_for),
		KIT_TEST(an_agent_that_lost_it_ends_the_wait_at_once),
		KIT_TEST(a_reader_that_broke_off_finds_the_rest_for_a_while),
		KIT_TEST(a_reader_that_never_comes_back_is_not_waited_for_long),
		KIT_TEST(after_a_restart_a_reader_gets_exactly_the_rest),
		KIT_TEST(
		    an_end_that_was_stored_but_not_read_is_not_confirmed_at_once),
		KIT_TEST(
		    the_last_output_is_stored_with_the_end_and_goes_with_it),
	};

	return RUN_TESTS(tests);
}
