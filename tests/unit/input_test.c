#include "core_kit.h"

/* "c1" with a stdin, at an agent or not; 'e' sends. */
static void
submit(struct kit *k, struct eye *e)
{
	struct command_request r = a_request("c1");

	k->limits.input_window = 20;
	k->limits.input_grace_ms = 30000;
	r.stdin_stream = true;
	eye_open(e, false);
	e->w.input = eye_input;
	assert_true(command_submit(k->core, &r, &e->w, NULL));
	synced(k);
}

static void
acked(struct kit *k, int64_t offset, bool resume, bool closed)
{
	command_input_acked(k->core, agent_find(k->core, "mini"), "c1",
	    &(struct input_ack){
		.offset = offset, .resume = resume, .closed = closed });
}

static struct agent *
running(struct kit *k, struct fake *f, struct eye *e)
{
	struct agent *a = connect_ours(k, f);

	submit(k, e);
	ack(k, "c1", ACK_EXECUTING, -1);
	acked(k, 0, true, false);
	said(&e->log);
	said(&f->log);
	return a;
}

static const char *
put(struct eye *e, int64_t offset, const char *text, bool eof)
{
	struct input_chunk k = { .offset = offset,
		.data = text,
		.len = strlen(text),
		.bytes = strlen(text),
		.eof = eof };
	static struct err err;

	memset(&err, 0, sizeof err);
	return command_input(&e->w, &k, &err) ? "" : err.code;
}

static void
pass(struct kit *k, int64_t ms)
{
	clock_advance(&k->clock, ms);
	core_tick(k->core);
	synced(k);
}

static void
input_goes_through_and_its_acks_come_back(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	running(k, &f, &e);
	assert_string_equal(put(&e, 0, "abc", false), "");
	assert_string_equal(put(&e, 3, "de", true), "");
	assert_string_equal(said(&f.log), "input:c1:0:abc input:c1:3:de:eof ");
	acked(k, 5, false, true);
	assert_string_equal(said(&e.log), "input@5:closed ");
	watcher_stop(&e.w);
}

static void
the_first_word_says_where_to_begin(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	connect_ours(k, &f);
	submit(k, &e);
	said(&e.log);
	said(&f.log);
	assert_string_equal(put(&e, 0, "early", false), ""); /* dropped */
	assert_string_equal(said(&f.log), "");
	ack(k, "c1", ACK_EXECUTING, -1);
	acked(k, 0, true, false);
	assert_string_equal(said(&e.log), "started input@0:resume ");
	watcher_stop(&e.w);
}

static void
an_agent_that_says_no_word_is_sent_to_from_the_start(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	connect_ours(k, &f);
	submit(k, &e);
	ack(k, "c1", ACK_EXECUTING, -1);
	said(&e.log);
	pass(k, 2500);
	assert_string_equal(said(&e.log), "input@0:resume ");
	watcher_stop(&e.w);
}

static void
more_than_the_window_is_refused(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	running(k, &f, &e);
	assert_string_equal(put(&e, 0, "0123456789", false), "");
	assert_string_equal(put(&e, 10, "0123456789", false), "");
	assert_string_equal(put(&e, 20, "x", false), "too_many");
	acked(k, 5, false, false);
	assert_string_equal(put(&e, 20, "x", false), "");
	watcher_stop(&e.w);
}

static void
what_finds_no_room_is_asked_for_again(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	running(k, &f, &e);
	f.input_room = 1;
	put(&e, 0, "abc", false);
	put(&e, 3, "def", false);
	put(&e, 6, "ghi", false);
	assert_string_equal(said(&f.log), "input:c1:0:abc ");
	f.input_room = 9;
	put(&e, 9, "jkl", false); /* behind the gap: not sent on */
	assert_string_equal(said(&f.log), "");
	agent_input_room(agent_find(k->core, "mini"));
	/* the handler has none of it yet: the sender must not forget it */
	assert_string_equal(said(&e.log), "input@0:resume ");
	put(&e, 0, "abc", false); /* on its way already */
	put(&e, 3, "def", false);
	assert_string_equal(said(&f.log), "input:c1:3:def ");
	watcher_stop(&e.w);
}

static void
a_new_link_goes_on_where_the_agent_says(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;
	struct agent *a = running(k, &f, &e);

	put(&e, 0, "abcdef", false);
	agent_detach(a, &f, "cut");
	assert_string_equal(put(&e, 6, "gh", false), ""); /* dropped */
	said(&f.log);
	connect_ours(k, &f);
	assert_string_equal(said(&e.log), "");
	acked(k, 4, true, false);
	assert_string_equal(said(&e.log), "input@4:resume ");
	put(&e, 4, "efgh", false);
	assert_string_equal(said(&f.log), "input:c1:4:efgh ");
	watcher_stop(&e.w);
}

/* By poll an old word may come twice; a handler that was run again insists. */
static void
what_was_taken_is_asked_for_anew_only_if_the_agent_insists(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	running(k, &f, &e);
	put(&e, 0, "abcdef", false);
	acked(k, 6, false, false);
	said(&e.log);
	acked(k, 2, true, false);
	assert_string_equal(said(&e.log), "input@6:resume ");
	put(&e, 6, "gh", false);
	acked(k, 2, true, false);
	assert_string_equal(said(&e.log), "input@2:resume ");
	watcher_stop(&e.w);
}

static void
what_an_unanswered_poll_held_is_asked_for_again(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;
	struct agent *a = running(k, &f, &e);

	agent_detach(a, &f, "cut");
	connect_as(k, &f, LINK_POLL, "i1");
	agent_attach_outputs(a);
	acked(k, 0, true, false);
	put(&e, 0, "abc", true);
	said(&e.log);
	agent_unsaid(a);
	agent_attach_outputs(a);
	assert_string_equal(said(&e.log), "input@0:resume ");
	watcher_stop(&e.w);
}

static void
the_last_sender_that_came_is_the_one(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye old, new;

	running(k, &f, &old);
	put(&old, 0, "abc", false);
	acked(k, 2, false, false);
	eye_open(&new, false);
	new.w.input = eye_input;
	command_watch(command_find(k->core, "c1"), &new.w);
	assert_string_equal(put(&old, 3, "x", false), "conflict");
	watcher_stop(&old.w);
	said(&f.log);
	/* of 'c', which is on its way, it knows nothing */
	assert_string_equal(put(&new, 2, "X", false), "");
	assert_string_equal(said(&new.log), "");
	acked(k, 3, false, false);
	assert_string_equal(said(&new.log), "input@3:resume ");
	assert_string_equal(put(&new, 3, "d", false), "");
	assert_string_equal(said(&f.log), "input:c1:3:d ");
	watcher_stop(&new.w);
}

/* As the agent has it, behind a pipe that is full. */
static void
what_an_agent_has_taken_goes_no_second_time(void **state)
{
	struct input_ack ack = { .offset = 2, .resume = true, .taken = 5 };
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e, new;
	struct agent *a = running(k, &f, &e);

	put(&e, 0, "abcdefg", false);
	agent_detach(a, &f, "cut");
	connect_ours(k, &f);
	said(&f.log);
	command_input_acked(k->core, a, "c1", &ack);
	assert_string_equal(said(&e.log), "input@2:resume ");
	put(&e, 2, "cde", false);
	put(&e, 5, "fg", false);
	assert_string_equal(said(&f.log), "input:c1:5:fg ");
	agent_detach(a, &f, "cut");
	connect_ours(k, &f);
	watcher_stop(&e.w);
	eye_open(&new, false);
	new.w.input = eye_input;
	command_watch(command_find(k->core, "c1"), &new.w);
	command_input_acked(k->core, a, "c1", &ack);
	assert_string_equal(said(&new.log), "");
	acked(k, 5, false, false);
	assert_string_equal(said(&new.log), "input@5:resume ");
	watcher_stop(&new.w);
}

static void
tell_error(struct watcher *w, const struct command *c, const json_t *result)
{
	(void)c;
	say(&((struct eye *)w)->log, "%s ",
	    json_string_value(json_object_get(result, "error")));
}

/* A handler must not take a part for the whole. */
static void
a_handler_whose_sender_went_away_is_ended(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e, other;

	running(k, &f, &e);
	put(&e, 0, "abc", false);
	watcher_stop(&e.w);
	eye_open(&other, false);
	other.w.ended = tell_error;
	command_watch(command_find(k->core, "c1"), &other.w);
	said(&f.log);
	pass(k, 29000);
	assert_string_equal(said(&f.log), "");
	pass(k, 2000);
	assert_string_equal(said(&f.log), "cancel:c1:15:5000 ");
	ack_reason(k, "c1", "cancelled");
	assert_string_equal(
	    said(&other.log), "the sender of its input went away ");
	assert_string_equal(stored_state(k, "c1"), "cancelled");
}

static void
one_that_waits_at_the_hub_is_ended_there(void **state)
{
	struct kit *k = *state;
	struct eye e;

	submit(k, &e);
	watcher_stop(&e.w);
	pass(k, 31000);
	assert_string_equal(stored_state(k, "c1"), "cancelled");
}

static void
complete_input_needs_no_sender(void **state)
{
	const struct input_ack taken_whole = {
		.offset = 1, .resume = true, .taken = 3, .eof = true
	};
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	running(k, &f, &e);
	put(&e, 0, "abc", true);
	watcher_stop(&e.w);
	said(&f.log);
	pass(k, 60000);
	assert_string_equal(said(&f.log), "");
	kit_restart(k); /* knows nothing of that until the agent says so */
	connect_ours(k, &f);
	said(&f.log);
	pass(k, 60000);
	command_input_acked(
	    k->core, agent_find(k->core, "mini"), "c1", &taken_whole);
	pass(k, 60000);
	assert_null(strstr(said(&f.log), "cancel:c1"));
}

static void
after_a_restart_the_agent_and_the_sender_find_each_other(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	running(k, &f, &e);
	put(&e, 0, "abcdef", false);
	kit_restart(k);
	connect_ours(k, &f);
	acked(k, 4, true, false);
	eye_open(&e, false);
	e.w.input = eye_input;
	command_watch(command_find(k->core, "c1"), &e.w);
	assert_string_equal(said(&e.log), "input@4:resume ");
	said(&f.log);
	put(&e, 4, "ef", true);
	assert_string_equal(said(&f.log), "input:c1:4:ef:eof ");
	watcher_stop(&e.w);
}

static void
input_that_has_no_place_is_an_error(void **state)
{
	struct command_request r = a_request("c2");
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	running(k, &f, &e);
	watcher_stop(&e.w);
	eye_open(&e, false);
	e.w.input = eye_input;
	assert_true(command_submit(k->core, &r, &e.w, NULL));
	assert_string_equal(put(&e, 0, "x", false), "bad_argument");
	synced(k);
	watcher_stop(&e.w);
}

/* Nor can it be known what it would make of an empty one. */
static void
an_agent_of_another_make_is_given_nothing_that_needs_input(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct err err = ERR_INIT;
	struct command_request r = a_request("c2");
	struct eye e;

	submit(k, &e); /* before it ever came */
	connect_foreign(k, &f);
	synced(k);
	assert_string_equal(said(&f.log), "");
	assert_string_equal(stored_state(k, "c1"), "refused");
	r.stdin_stream = true;
	assert_false(command_submit(k->core, &r, NULL, &err));
	assert_string_equal(err.code, "bad_argument");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(input_goes_through_and_its_acks_come_back),
		KIT_TEST(the_first_word_says_where_to_begin),
		KIT_TEST(an_agent_that_says_no_word_is_sent_to_from_the_start),
		KIT_TEST(more_than_the_window_is_refused),
		KIT_TEST(what_finds_no_room_is_asked_for_again),
		KIT_TEST(a_new_link_goes_on_where_the_agent_says),
		KIT_TEST(
		    what_was_taken_is_asked_for_anew_only_if_the_agent_insists),
		KIT_TEST(what_an_unanswered_poll_held_is_asked_for_again),
		KIT_TEST(the_last_sender_that_came_is_the_one),
		KIT_TEST(what_an_agent_has_taken_goes_no_second_time),
		KIT_TEST(a_handler_whose_sender_went_away_is_ended),
		KIT_TEST(one_that_waits_at_the_hub_is_ended_there),
		KIT_TEST(complete_input_needs_no_sender),
		KIT_TEST(
		    after_a_restart_the_agent_and_the_sender_find_each_other),
		KIT_TEST(input_that_has_no_place_is_an_error),
		KIT_TEST(
		    an_agent_of_another_make_is_given_nothing_that_needs_input),
	};

	return RUN_TESTS(tests);
}
