#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store_priv.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { APPLICATION_ID = 0x65777364 }; /* "ewsd" */

/* The payload stays apart, so that a step does not write it again. The
 * states are the words of states.def; 'ended' is 1 for its ends. */
static const char *const migrations[] = {
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE commands ("
	" seq INTEGER PRIMARY KEY,"
	" id TEXT NOT NULL UNIQUE,"
	" agent TEXT NOT NULL,"
	" type TEXT NOT NULL,"
	" state TEXT NOT NULL,"
	" ended INTEGER NOT NULL,"
	" priority INTEGER NOT NULL,"
	" flags INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" updated_ms INTEGER NOT NULL,"
	" deadline_ms INTEGER NOT NULL,"
	" asker TEXT,"
	" method TEXT,"
	" exit_code INTEGER,"
	" signal INTEGER,"
	" duration_ms INTEGER,"
	" stdout_bytes INTEGER,"
	" stderr_bytes INTEGER,"
	" reason TEXT,"
	" error TEXT,"
	" detail TEXT,"
	" argv TEXT"
	");"
	"CREATE TABLE payloads ("
	" seq INTEGER PRIMARY KEY,"
	" digest TEXT NOT NULL,"
	" payload TEXT NOT NULL"
	");"
	"CREATE INDEX commands_agent ON commands (agent);"
	"CREATE INDEX commands_ended ON commands (ended);"
	"CREATE TABLE history ("
	" seq INTEGER NOT NULL," /* of the command */
	" n INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" state TEXT," /* NULL: a note */
	" method TEXT,"
	" text TEXT,"
	" PRIMARY KEY (seq, n)"
	") WITHOUT ROWID;"
	"CREATE TABLE agents ("
	" id TEXT PRIMARY KEY,"
	" instance TEXT,"
	" about TEXT,"
	" config TEXT,"
	" first_ms INTEGER NOT NULL,"
	" last_ms INTEGER NOT NULL"
	") WITHOUT ROWID;",

	/* Plans, kept output, ends that somebody has to see to, what an
	 * agent's link went through, and the runs of "ewsctl cron". */
	"ALTER TABLE commands ADD COLUMN run_at_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE commands ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE commands ADD COLUMN schedule TEXT;"
	"ALTER TABLE commands ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE commands ADD COLUMN late_ms INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX commands_dead ON commands (seq) WHERE ended = 1"
	" AND cleared = 0 AND state IN ('refused', 'expired', 'dead',"
	" 'interrupted', 'failed');"
	"CREATE INDEX commands_state ON commands (state) WHERE ended = 1;"
	"CREATE TABLE outputs ("
	" seq INTEGER NOT NULL," /* of the command */
	" stream INTEGER NOT NULL," /* 0 stdout, 1 stderr */
	" first INTEGER NOT NULL," /* offset of the first byte */
	" data BLOB NOT NULL,"
	" UNIQUE (seq, stream)"
	");"
	"CREATE TABLE schedules ("
	" id TEXT PRIMARY KEY,"
	" agent TEXT NOT NULL,"
	" type TEXT NOT NULL,"
	" request TEXT NOT NULL," /* JSON: payload, argv, priority... */
	" cron TEXT NOT NULL,"
	" tz TEXT NOT NULL,"
	" late TEXT NOT NULL," /* run, skip */
	" paused INTEGER NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" next_ms INTEGER NOT NULL," /* 0: never again */
	" last_ms INTEGER NOT NULL,"
	" last_command TEXT,"
	" fired INTEGER NOT NULL,"
	" missed INTEGER NOT NULL,"
	" asker TEXT"
	") WITHOUT ROWID;"
	"CREATE TABLE schedule_log ("
	" schedule TEXT NOT NULL,"
	" n INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" what TEXT NOT NULL,"
	" text TEXT,"
	" PRIMARY KEY (schedule, n)"
	") WITHOUT ROWID;"
	"ALTER TABLE agents ADD COLUMN tags TEXT;" /* given here: JSON array */
	"CREATE TABLE agent_log ("
	" agent TEXT NOT NULL,"
	" n INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" what TEXT NOT NULL,"
	" text TEXT,"
	" PRIMARY KEY (agent, n)"
	") WITHOUT ROWID;"
	"CREATE TABLE jobs ("
	" host TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" every_ms INTEGER NOT NULL," /* 0: nobody said */
	" grace_ms INTEGER NOT NULL,"
	" first_ms INTEGER NOT NULL,"
	" PRIMARY KEY (host, name)"
	") WITHOUT ROWID;"
	"CREATE TABLE job_runs ("
	" n INTEGER PRIMARY KEY,"
	" run_id TEXT NOT NULL UNIQUE,"
	" host TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" started_ms INTEGER NOT NULL,"
	" ended_ms INTEGER," /* NULL: runs, or nobody knows */
	" exit_code INTEGER,"
	" signal INTEGER,"
	" duration_ms INTEGER,"
	" overlap INTEGER NOT NULL," /* not run: another one ran */
	" output_bytes INTEGER,"
	" output BLOB" /* its last part */
	");"
	"CREATE INDEX job_runs_job ON job_runs (host, name, n);"
	/* What ended first is forgotten first, and what was accepted long
	 * before it ran is not among it. */
	"CREATE INDEX commands_over ON commands (updated_ms) WHERE ended = 1;",
	NULL
};

/* ---- opening ---------------------------------------------------------- */

struct begin {
	struct store *store;
	struct err err;
};

static bool
read_meta(struct store *s, struct err *err)
{
	sqlite3_stmt *q = db_sql(s->db,
	    "SELECT (SELECT value FROM meta WHERE key = 'hub_id'),"
	    " (SELECT value FROM meta WHERE key = 'epoch'),"
	    " max(coalesce((SELECT max(seq) FROM commands), 0),"
	    "  coalesce((SELECT value FROM meta WHERE key = 'pruned'), 0))");

	if (db_row(q, err) != 1)
		return false;
	str_copy(s->hub_id, sizeof s->hub_id, db_text(q, 0));
	s->epoch = (uint64_t)sqlite3_column_int64(q, 1);
	s->last_seq = (uint64_t)sqlite3_column_int64(q, 2);
	return true;
}

static bool
begin_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct begin *b = arg;
	char hub_id[ID_RANDOM_SIZE];
	sqlite3_stmt *q;

	(void)h;
	id_random(hub_id);
	q = db_sql(db, "INSERT INTO meta VALUES ('hub_id', ?1)"
		       " ON CONFLICT DO NOTHING");
	db_bind(q, 1, hub_id);
	return db_step(q, err) &&
	       db_step(
		   db_sql(db, "INSERT INTO meta VALUES ('epoch', 1)"
			      " ON CONFLICT DO UPDATE SET value = value + 1"),
		   err) &&
	       read_meta(b->store, err);
}

static void
begun(void *arg, const struct err *err)
{
	struct begin *b = arg;

	if (err != NULL)
		b->err = *err;
}

struct store *
store_open(const struct store_config *cfg, struct err *err)
{
	struct store *s = mem_alloc(sizeof *s);
	struct begin b = { s, ERR_INIT };

	s->db = db_open(
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
	if (s->db == NULL) {
		free(s);
		return NULL;
	}
	if (db_submit(s->db, DB_MAY, begin_job, begun, &b, &b.err))
		db_flush(s->db);
	if (!err_isset(&b.err))
		return s;
	*err = b.err;
	store_close(s);
	return NULL;
}

void
store_close(struct store *s)
{
	db_close(s->db);
	free(s);
}

void
store_drain(struct store *s)
{
	db_drain(s->db);
}

void
store_flush(struct store *s)
{
	db_flush(s->db);
}

const char *
store_hub_id(const struct store *s)
{
	return s->hub_id;
}

uint64_t
store_epoch(const struct store *s)
{
	return s->epoch;
}

uint64_t
store_last_seq(const struct store *s)
{
	return s->last_seq;
}

void
store_stats(struct store *s, struct store_stats *out)
{
	struct db_stats st;

	db_stats(s->db, &st);
	*out = (struct store_stats){
		.commits = st.commits,
		.writes = st.jobs,
		.failures = st.failures,
		.sync_us_last = st.sync_us_last,
		.sync_us_max = st.sync_us_max,
		.waiting = st.waiting,
		.failing = st.failing,
	};
}

/* ---- loading ---------------------------------------------------------- */

struct load {
	struct store *store;
	store_command_fn *fn;
	store_agent_fn *agent_fn;
	void *arg;
};

static void
bury(struct store *s, const struct store_command *c)
{
	struct store_step dead = {
		.state = CMD_DEAD,
		.at_ms = clock_wall(&clock_system),
		.note = c->outcome.error,
		.outcome = &c->outcome,
	};

	log_error(
	    "command %s: not delivered: %s", log_q(c->id), c->outcome.error);
	store_step(s, c->id, &dead, NULL, NULL);
}

static bool
load_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct load *l = arg;
	sqlite3_stmt *q =
	    db_sql(db, "SELECT " ROW_FULL "WHERE ended = 0 ORDER BY seq");
	struct store_command c;
	int got;

	(void)h;
	while ((got = db_row(q, err)) == 1) {
		row_read(q, &c);
		if (!row_check(q, &c, err))
			return false;
		if (c.state == CMD_DEAD)
			bury(l->store, &c);
		l->fn(l->arg, &c);
	}
	return got == 0;
}

bool
store_load(struct store *s, store_command_fn *fn, void *arg, struct err *err)
{
	struct load l = { s, fn, NULL, arg };

	return db_now(s->db, load_job, &l, err);
}

static bool
agents_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct load *l = arg;
	sqlite3_stmt *q =
	    db_sql(db, "SELECT id, instance, about, config, first_ms, last_ms,"
		       " tags FROM agents");
	int got;

	(void)h;
	while ((got = db_row(q, err)) == 1) {
		struct store_agent a = {
			.id = db_text(q, 0),
			.instance = db_text(q, 1),
			.about = db_text(q, 2),
			.config = db_text(q, 3),
			.first_ms = sqlite3_column_int64(q, 4),
			.last_ms = sqlite3_column_int64(q, 5),
			.tags = db_text(q, 6),
		};

		l->agent_fn(l->arg, &a);
	}
	return got == 0;
}

bool
store_load_agents(
    struct store *s, store_agent_fn *fn, void *arg, struct err *err)
{
	struct load l = { s, NULL, fn, arg };

	return db_now(s->db, agents_job, &l, err);
}
