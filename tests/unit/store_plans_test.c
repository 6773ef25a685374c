/* With many commands the hub looks at no more of them than it must. */
#include "ewsd/store/store_priv.h"
#include "lib/db_priv.h"
#include "store_kit.h"

enum { ROWS = 20000, OPEN = 20, PAGE = 10 };
/* of SQLite's machine, for one statement: a few for each row it looks at */
enum { STEPS_FEW = 2000, STEPS_PAGE = ROWS, STEPS_PART = 5 * ROWS };

/* ROWS that have ended, one of them badly; of two agents, one of which has
 * but one. */
static void
fill(struct scratch *s)
{
	static const char sql[] =
	    "CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS"
	    " (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < %d)"
	    " SELECT n FROM n;"
	    "INSERT INTO commands (seq, id, agent, type, state, ended,"
	    " priority, flags, attempts, created_ms, updated_ms, deadline_ms,"
	    " asker) SELECT n, 'c' || n, iif(n = 7, 'rare', 'mini'),"
	    " iif(n = 5, 'rare', 'echo'),"
	    " iif(n = 7, 'interrupted', 'done'), 1, 2, 0, 0, n, n, 0, 'uid:1'"
	    " FROM n;"
	    "INSERT INTO payloads SELECT n, 'none', '{}' FROM n;"
	    "INSERT INTO history (seq, n, at_ms, state)"
	    " SELECT n, 1, n, 'accepted' FROM n;";
	char text[sizeof sql + 32];
	sqlite3 *h;

	store_close(must_open(s));
	snprintf(text, sizeof text, sql, ROWS);
	assert_int_equal(sqlite3_open(scratch_path(s, "ews.db"), &h), 0);
	assert_int_equal(sqlite3_exec(h, text, NULL, NULL, NULL), 0);
	sqlite3_close(h);
}

static void
check_statement(sqlite3_stmt *q, int most)
{
	int runs = sqlite3_stmt_status(q, SQLITE_STMTSTATUS_RUN, 1);
	int steps = sqlite3_stmt_status(q, SQLITE_STMTSTATUS_VM_STEP, 1);
	int scans = sqlite3_stmt_status(q, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);

	/* what a subquery gives is counted, too, row by row */
	if (scans / (runs + 1) > 1000)
		fail_msg("goes through a table: %s", sqlite3_sql(q));
	if (sqlite3_stmt_status(q, SQLITE_STMTSTATUS_AUTOINDEX, 1) > 0)
		fail_msg("makes itself an index: %s", sqlite3_sql(q));
	if (runs > 0 && steps / runs > most)
		fail_msg("%d steps a run: %s", steps / runs, sqlite3_sql(q));
}

/* Whatever was asked since the last time, when all of it is done. */
static void
check_statements(struct store *st, int most)
{
	struct db_conn *both[] = { &st->db->writer, &st->db->keeper };

	store_flush(st);
	for (size_t i = 0; i < N_OF(both); i++) {
		for (size_t k = 0; k < both[i]->n; k++)
			check_statement(both[i]->cached[k].stmt, most);
	}
}

static void
a_start_looks_at_what_has_not_ended(void **state)
{
	struct store *st;
	char id[16];

	fill(*state);
	st = must_open(*state);
	for (int i = 0; i < OPEN; i++) {
		snprintf(id, sizeof id, "open%d", i);
		accept_new(st, id);
	}
	store_close(st);
	st = must_open(*state);
	assert_int_equal(store_last_seq(st), ROWS + OPEN);
	assert_int_equal(load(st).n, OPEN);
	check_statements(st, STEPS_PAGE);
	store_close(st);
}

static void
a_page_is_found_by_an_index(void **state)
{
	static const struct store_filter pages[] = {
		{ .limit = PAGE },
		{ .limit = PAGE, .before_seq = 900 },
		{ .limit = PAGE, .agent = "mini", .before_seq = 900 },
		{ .limit = PAGE, .agent = "rare" },
		{ .limit = PAGE, .agent = "nobody" },
		{ .limit = PAGE, .states = 1u << CMD_INTERRUPTED },
		{ .limit = PAGE, .states = 1u << CMD_CANCELLED },
		{ .limit = PAGE, .states = 1u << CMD_ACCEPTED },
		{ .limit = PAGE, .states = 1u << CMD_STARTED },
		{ .limit = PAGE, .dead = true },
		{ .limit = PAGE, .dead = true, .agent = "rare" },
		{ .limit = PAGE, .dead = true, .id = "c7" },
		{ .limit = PAGE, .dead = true, .sendable = true },
	};
	struct store *st;

	fill(*state);
	st = must_open(*state);
	for (size_t i = 0; i < N_OF(pages); i++) {
		list(st, &pages[i]);
		check_statements(st, STEPS_PAGE);
	}
	assert_int_equal(get(st, "c900").lines, 1);
	check_statements(st, STEPS_PAGE);
	store_close(st);
}

static void
what_no_index_serves_is_looked_for_in_parts(void **state)
{
	static const struct {
		struct store_filter filter;
		const char *text;
	} cases[] = {
		{ { .limit = PAGE, .type = "rare" }, "c5:done " },
		{ { .limit = PAGE,
		      .states = 1u << CMD_INTERRUPTED | 1u << CMD_EXPIRED },
		    "c7:interrupted " },
		{ { .limit = 2, .type = "echo", .before_seq = 4 },
		    "c3:done c2:done " },
		{ { .limit = PAGE, .agent = "mini", .type = "nothing" }, "" },
	};
	struct store *st;

	fill(*state);
	st = must_open(*state);
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct seen s = { 0 };

		assert_true(
		    store_list(st, &cases[i].filter, see_list, &s, NULL));
		while (s.done == 0)
			store_flush(st);
		check_statements(st, STEPS_PART);
		assert_int_equal(s.status, 0);
		assert_string_equal(s.text, cases[i].text);
	}
	store_close(st);
}

static void
forgetting_is_done_in_small_parts(void **state)
{
	struct store_stats stats;
	struct store *st;

	fill(*state);
	st = must_open(*state);
	assert_true(store_prune(st, 500, 1000000));
	do {
		store_flush(st);
		store_stats(st, &stats);
	} while (stats.waiting > 0);
	check_statements(st, STEPS_PART); /* once, the newest are counted */
	store_close(st);
}

static void
a_new_command_and_its_steps_look_at_little(void **state)
{
	struct store *st;

	fill(*state);
	st = must_open(*state);
	accept_new(st, "new");
	step(st, "new", CMD_STARTED, 2000);
	step(st, "new", CMD_DONE, 3000);
	assert_true(store_note(st, "new", 3000, "seen"));
	check_statements(st, STEPS_FEW);
	store_close(st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_start_looks_at_what_has_not_ended, scratch_setup,
		    scratch_teardown),
		cmocka_unit_test_setup_teardown(a_page_is_found_by_an_index,
		    scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		    what_no_index_serves_is_looked_for_in_parts, scratch_setup,
		    scratch_teardown),
		cmocka_unit_test_setup_teardown(
		    forgetting_is_done_in_small_parts, scratch_setup,
		    scratch_teardown),
		cmocka_unit_test_setup_teardown(
		    a_new_command_and_its_steps_look_at_little, scratch_setup,
		    scratch_teardown),
	};

	return RUN_TESTS(tests);
}
