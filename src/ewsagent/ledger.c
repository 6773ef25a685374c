#include "ewsagent/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "lib/db.h"
#include "lib/exit.h"
#include "lib/mem.h"

enum { APPLICATION_ID = 0x6577736c }; /* "ewsl" */

/* 'live' is 1 until the entry is both ended and confirmed. */
static const char *const migrations[] = {
	"CREATE TABLE entries ("
	" n INTEGER PRIMARY KEY,"
	" id TEXT NOT NULL UNIQUE,"
	" state TEXT NOT NULL,"
	" live INTEGER NOT NULL DEFAULT 1,"
	" received_ms INTEGER NOT NULL,"
	" started_ms INTEGER NOT NULL DEFAULT 0,"
	" ended_ms INTEGER NOT NULL DEFAULT 0,"
	" result TEXT,"
	" command TEXT NOT NULL"
	");"
	"CREATE INDEX entries_live ON entries (live);",
	"ALTER TABLE entries ADD COLUMN boot TEXT;"
	"ALTER TABLE entries ADD COLUMN runs INTEGER NOT NULL DEFAULT 0;",
	NULL
};

static const char *const words[] = { "received", "started", "ended" };

struct ledger {
	struct db *db;
	char *boot;
};

struct ledger *
ledger_open(const struct ledger_config *cfg, struct err *err)
{
	struct ledger *l = mem_alloc(sizeof *l);

	l->boot = cfg->boot == NULL ? NULL : mem_dup(cfg->boot);
	l->db = db_open(
	    &(struct db_config){
		.path = cfg->path,
		.application_id = APPLICATION_ID,
		.migrations = migrations,
		.max_jobs = cfg->max_jobs,
		.wake = cfg->wake,
		.arg = cfg->arg,
		.retry_ms = cfg->retry_ms,
	    },
	    err);
	if (l->db != NULL)
		return l;
	free(l->boot);
	free(l);
	return NULL;
}

void
ledger_close(struct ledger *l)
{
	db_close(l->db);
	free(l->boot);
	free(l);
}

void
ledger_drain(struct ledger *l)
{
	db_drain(l->db);
}

void
ledger_flush(struct ledger *l)
{
	db_flush(l->db);
}

/* ---- rows ------------------------------------------------------------- */

#define COLUMNS                                                                \
	"id, state, live, received_ms, started_ms, ended_ms, result, command," \
	" boot, runs FROM entries "

/* Lent by the statement. An unreadable state counts as started: the one
 * that is never run again blindly. */
static void
read_entry(sqlite3_stmt *q, struct ledger_entry *e)
{
	const char *word = db_text(q, 1);

	e->id = db_text(q, 0);
	e->state = LEDGER_STARTED;
	for (int i = LEDGER_RECEIVED; i <= LEDGER_ENDED; i++) {
		if (strcmp(words[i], word) == 0)
			e->state = (enum ledger_state)i;
	}
	e->confirmed = sqlite3_column_int(q, 2) == 0;
	e->received_ms = sqlite3_column_int64(q, 3);
	e->started_ms = sqlite3_column_int64(q, 4);
	e->ended_ms = sqlite3_column_int64(q, 5);
	e->result = db_text(q, 6);
	e->command = db_text(q, 7);
	e->boot = db_text(q, 8);
	e->runs = (unsigned)sqlite3_column_int(q, 9);
}

struct load {
	ledger_entry_fn *fn;
	void *arg;
};

static bool
load_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct load *l = arg;
	sqlite3_stmt *q =
	    db_sql(db, "SELECT " COLUMNS "WHERE live = 1 ORDER BY n");
	struct ledger_entry e;
	int got;

	(void)h;
	while ((got = db_row(q, err)) == 1) {
		read_entry(q, &e);
		l->fn(l->arg, &e);
	}
	return got == 0;
}

bool
ledger_load(struct ledger *l, ledger_entry_fn *fn, void *arg, struct err *err)
{
	struct load load = { fn, arg };

	return db_now(l->db, load_job, &load, err);
}

/* ---- one job for each change ------------------------------------------ */

struct change {
	const char *id, *text; /* the command or the result */
	const char *boot; /* lent by the ledger */
	bool start;
	unsigned runs;
	int64_t now_ms, keep;
	void *texts;
	ledger_done_fn *done;
	ledger_taken_fn *taken;
	void *arg;
	struct ledger_entry known; /* if 'known_texts' */
	void *known_texts;
};

static void
change_end(struct change *c)
{
	free(c->known_texts);
	free(c->texts);
	free(c);
}

static void
changed(void *arg, const struct err *err)
{
	struct change *c = arg;

	if (c->done != NULL)
		c->done(c->arg, err);
	change_end(c);
}

static bool
submit(struct ledger *l, enum db_flag flag, db_job_fn *fn, db_done_fn *done,
    const struct change *template, struct err *err)
{
	struct change *c = mem_alloc(sizeof *c);
	const struct db_lent lent[] = { { &c->id, 0 }, { &c->text, 0 } };

	*c = *template;
	c->texts = db_keep(lent, 2, err);
	if (c->texts != NULL && db_submit(l->db, flag, fn, done, c, err))
		return true;
	change_end(c);
	return false;
}

/* ---- taking ----------------------------------------------------------- */

static bool
remember(struct change *c, struct db *db, struct err *err)
{
	int got;
	sqlite3_stmt *q = db_sql(db, "SELECT " COLUMNS "WHERE id = ?1");
	const struct db_lent lent[] = {
		{ &c->known.id, 0 },
		{ &c->known.command, 0 },
		{ &c->known.result, 0 },
		{ &c->known.boot, 0 },
	};

	free(c->known_texts);
	c->known_texts = NULL;
	db_bind(q, 1, c->id);
	got = db_row(q, err);
	if (got != 1)
		return got == 0;
	read_entry(q, &c->known);
	c->known_texts = db_keep(lent, 4, err);
	return c->known_texts != NULL;
}

static bool
take_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;
	sqlite3_stmt *q = db_sql(db,
	    "INSERT INTO entries"
	    " (id, state, received_ms, started_ms, command, boot, runs)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
	    " ON CONFLICT (id) DO NOTHING");

	db_bind(q, 1, c->id);
	db_bind(q, 2, words[c->start ? LEDGER_STARTED : LEDGER_RECEIVED]);
	sqlite3_bind_int64(q, 3, c->now_ms);
	sqlite3_bind_int64(q, 4, c->start ? c->now_ms : 0);
	db_bind(q, 5, c->text);
	db_bind(q, 6, c->start ? c->boot : NULL);
	sqlite3_bind_int(q, 7, c->start ? 1 : 0);
	if (!db_step(q, err))
		return false;
	return sqlite3_changes(h) == 1 || remember(c, db, err);
}

static void
taken(void *arg, const struct err *err)
{
	struct change *c = arg;
	bool known = err == NULL && c->known_texts != NULL;

	c->taken(c->arg, known ? &c->known : NULL, err);
	change_end(c);
}

bool
ledger_take(struct ledger *l, const char *id, const char *command, bool start,
    int64_t now_ms, ledger_taken_fn *fn, void *arg, struct err *err)
{
	return submit(l, DB_MAY, take_job, taken,
	    &(struct change){
		.id = id,
		.text = command,
		.boot = l->boot,
		.start = start,
		.now_ms = now_ms,
		.taken = fn,
		.arg = arg,
	    },
	    err);
}

static bool
find_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	(void)h;
	return remember(arg, db, err);
}

bool
ledger_find(struct ledger *l, const char *id, ledger_taken_fn *fn, void *arg,
    struct err *err)
{
	return submit(l, DB_MAY, find_job, taken,
	    &(struct change){ .id = id, .taken = fn, .arg = arg }, err);
}

static bool
untake_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;
	sqlite3_stmt *q = db_sql(
	    db, "DELETE FROM entries WHERE id = ?1 AND state <> 'ended'");

	(void)h;
	db_bind(q, 1, c->id);
	return db_step(q, err);
}

bool
ledger_untake(struct ledger *l, const char *id)
{
	return submit(l, DB_MUST, untake_job, changed,
	    &(struct change){ .id = id }, NULL);
}

/* ---- starting, ending, confirming ------------------------------------- */

static bool
start_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;
	sqlite3_stmt *q =
	    db_sql(db, "UPDATE entries SET state = 'started', started_ms = ?2,"
		       " boot = ?3, runs = runs + 1"
		       " WHERE id = ?1 AND state = 'received'");

	db_bind(q, 1, c->id);
	sqlite3_bind_int64(q, 2, c->now_ms);
	db_bind(q, 3, c->boot);
	if (!db_step(q, err))
		return false;
	if (sqlite3_changes(h) == 1)
		return true;
	err_set(err, EXIT_NEGATIVE, "too_late",
	    "the command is not waiting to be started");
	return false;
}

bool
ledger_start(struct ledger *l, const char *id, int64_t now_ms,
    ledger_done_fn *fn, void *arg, struct err *err)
{
	return submit(l, DB_MAY, start_job, changed,
	    &(struct change){
		.id = id,
		.boot = l->boot,
		.now_ms = now_ms,
		.done = fn,
		.arg = arg,
	    },
	    err);
}

static bool
again_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;
	sqlite3_stmt *q =
	    db_sql(db, "UPDATE entries SET state = 'received', started_ms = 0,"
		       " boot = NULL, runs = ?2"
		       " WHERE id = ?1 AND state = 'started'");

	(void)h;
	db_bind(q, 1, c->id);
	sqlite3_bind_int64(q, 2, c->runs);
	return db_step(q, err);
}

bool
ledger_again(struct ledger *l, const char *id, unsigned runs)
{
	return submit(l, DB_LAZY, again_job, changed,
	    &(struct change){ .id = id, .runs = runs }, NULL);
}

static bool
end_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;
	sqlite3_stmt *q = db_sql(db,
	    "UPDATE entries SET state = 'ended', result = ?2, ended_ms = ?3"
	    " WHERE id = ?1 AND state <> 'ended'");

	db_bind(q, 1, c->id);
	db_bind(q, 2, c->text);
	sqlite3_bind_int64(q, 3, c->now_ms);
	if (!db_step(q, err))
		return false;
	if (sqlite3_changes(h) == 1)
		return true;
	err_set(err, EXIT_NEGATIVE, "too_late",
	    "the command has ended already, or is not here");
	return false;
}

bool
ledger_end(struct ledger *l, const char *id, const char *result, int64_t now_ms,
    ledger_done_fn *fn, void *arg)
{
	return submit(l, DB_MUST, end_job, changed,
	    &(struct change){
		.id = id,
		.text = result,
		.now_ms = now_ms,
		.done = fn,
		.arg = arg,
	    },
	    NULL);
}

static bool
confirm_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;
	sqlite3_stmt *q = db_sql(db, "UPDATE entries SET live = 0, command = ''"
				     " WHERE id = ?1 AND state = 'ended'");

	(void)h;
	db_bind(q, 1, c->id);
	return db_step(q, err);
}

bool
ledger_confirm(struct ledger *l, const char *id)
{
	return submit(l, DB_LAZY, confirm_job, changed,
	    &(struct change){ .id = id }, NULL);
}

/* ---- pruning ---------------------------------------------------------- */

static bool
prune_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;
	sqlite3_stmt *q = db_sql(db,
	    "DELETE FROM entries WHERE n IN (SELECT n FROM"
	    " (SELECT n, ended_ms FROM entries WHERE live = 0 ORDER BY n"
	    "  LIMIT 1000) WHERE ended_ms < ?1 AND n <= coalesce("
	    " (SELECT n FROM entries WHERE live = 0 ORDER BY n DESC"
	    "  LIMIT 1 OFFSET ?2), 0))");

	(void)h;
	sqlite3_bind_int64(q, 1, c->now_ms);
	sqlite3_bind_int64(q, 2, c->keep);
	return db_step(q, err);
}

bool
ledger_prune(struct ledger *l, int64_t before_ms, uint64_t keep)
{
	return submit(l, DB_MAY, prune_job, changed,
	    &(struct change){
		.now_ms = before_ms,
		.keep = keep > INT64_MAX ? INT64_MAX : (int64_t)keep,
	    },
	    NULL);
}
