#include "ewsd/store/store_jobs.h"

#include <stdlib.h>

#include "ewsd/store/store_priv.h"
#include "lib/exit.h"
#include "lib/mem.h"

/* ---- writing -------------------------------------------------------------- */

struct record {
	struct store_job_record r;
	unsigned keep;
	store_done_fn *fn;
	void *arg;
	void *texts;
};

static void
bind_known(sqlite3_stmt *q, int nth, int64_t value, bool known)
{
	if (known)
		sqlite3_bind_int64(q, nth, value);
}

/* Records may come late and out of order: the newest one says what the job
 * is to do. */
static bool
put_job(struct db *db, const struct store_job_record *r, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "INSERT INTO jobs VALUES (?1, ?2, ?3, ?4, ?5)"
	    " ON CONFLICT (host, name) DO UPDATE SET"
	    " first_ms = min(first_ms, ?5),"
	    " every_ms = CASE WHEN ?5 >= coalesce((SELECT max(started_ms)"
	    "  FROM job_runs WHERE host = ?1 AND name = ?2), 0)"
	    "  THEN ?3 ELSE every_ms END,"
	    " grace_ms = CASE WHEN ?5 >= coalesce((SELECT max(started_ms)"
	    "  FROM job_runs WHERE host = ?1 AND name = ?2), 0)"
	    "  THEN ?4 ELSE grace_ms END");

	db_bind(q, 1, r->host);
	db_bind(q, 2, r->name);
	sqlite3_bind_int64(q, 3, r->every_ms);
	sqlite3_bind_int64(q, 4, r->grace_ms);
	sqlite3_bind_int64(q, 5, r->at_ms);
	return db_step(q, err);
}

/* An end whose start never came still has a start. */
static int64_t
started(const struct store_job_record *r)
{
	if (r->event == JOB_END && r->duration_ms > 0)
		return r->at_ms - r->duration_ms;
	return r->at_ms;
}

static bool
put_run(struct db *db, const struct store_job_record *r, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "INSERT INTO job_runs (run_id, host, name, started_ms, ended_ms,"
	    " exit_code, signal, duration_ms, overlap, output_bytes, output)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
	    " ON CONFLICT (run_id) DO UPDATE SET ended_ms = ?5,"
	    " exit_code = ?6, signal = ?7, duration_ms = ?8,"
	    " output_bytes = ?10, output = ?11"
	    " WHERE ended_ms IS NULL AND ?5 IS NOT NULL"
	    " AND host = ?2 AND name = ?3");

	db_bind(q, 1, r->run_id);
	db_bind(q, 2, r->host);
	db_bind(q, 3, r->name);
	sqlite3_bind_int64(q, 4, started(r));
	bind_known(q, 5, r->at_ms, r->event != JOB_START);
	bind_known(q, 6, r->exit_code, r->exit_code >= 0);
	bind_known(q, 7, r->signal, r->signal > 0);
	bind_known(q, 8, r->duration_ms, r->duration_ms >= 0);
	sqlite3_bind_int(q, 9, r->event == JOB_OVERLAP);
	bind_known(q, 10, r->output_bytes, r->output_bytes >= 0);
	if (r->output != NULL)
		sqlite3_bind_blob64(
		    q, 11, r->output, r->output_len, SQLITE_STATIC);
	return db_step(q, err);
}

static bool
forget_old(struct db *db, const struct record *t, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "DELETE FROM job_runs WHERE host = ?1 AND name = ?2 AND n <="
	    " coalesce((SELECT n FROM job_runs WHERE host = ?1 AND name = ?2"
	    " ORDER BY n DESC LIMIT 1 OFFSET ?3), 0)");

	db_bind(q, 1, t->r.host);
	db_bind(q, 2, t->r.name);
	sqlite3_bind_int64(q, 3, t->keep);
	return db_step(q, err);
}

static bool
record_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	const struct record *t = arg;

	(void)h;
	return put_job(db, &t->r, err) && put_run(db, &t->r, err) &&
	       forget_old(db, t, err);
}

static void
recorded(void *arg, const struct err *err)
{
	struct record *t = arg;

	if (t->fn != NULL)
		t->fn(t->arg, err);
	free(t->texts);
	free(t);
}

static bool
submit(struct store *s, struct record *t, db_job_fn *job, struct err *err)
{
	const struct db_lent lent[] = {
		{ &t->r.host, 0 },
		{ &t->r.name, 0 },
		{ &t->r.run_id, 0 },
		{ &t->r.output, t->r.output_len },
	};

	t->texts = db_keep(lent, sizeof lent / sizeof *lent, err);
	if (t->texts != NULL && db_submit(s->db, DB_MAY, job, recorded, t, err))
		return true;
	free(t->texts);
	free(t);
	return false;
}

bool
store_job_record(struct store *s, const struct store_job_record *r,
    unsigned keep, store_done_fn *fn, void *arg, struct err *err)
{
	struct record *t = mem_alloc(sizeof *t);

	*t = (struct record){ .r = *r, .keep = keep, .fn = fn, .arg = arg };
	if (t->r.output_len == 0)
		t->r.output = NULL;
	return submit(s, t, record_job, err);
}

static bool
forget_from(
    struct db *db, const char *sql, const struct record *t, struct err *err)
{
	sqlite3_stmt *q = db_sql(db, sql);

	db_bind(q, 1, t->r.host);
	db_bind(q, 2, t->r.name);
	return db_step(q, err);
}

static bool
forget_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	const struct record *t = arg;

	(void)h;
	return forget_from(db,
		   "DELETE FROM job_runs WHERE host = ?1 AND name = ?2", t,
		   err) &&
	       forget_from(db, "DELETE FROM jobs WHERE host = ?1 AND name = ?2",
		   t, err);
}

bool
store_job_forget(struct store *s, const char *host, const char *name,
    store_done_fn *fn, void *arg, struct err *err)
{
	struct record *t = mem_alloc(sizeof *t);

	*t = (struct record){
		.r = { .host = host, .name = name }, .fn = fn, .arg = arg
	};
	return submit(s, t, forget_job, err);
}

/* ---- reading -------------------------------------------------------------- */

#define RUN_COLUMNS                                                            \
	"r.n, r.host, r.name, r.run_id, r.started_ms, r.ended_ms,"             \
	" r.exit_code, r.signal, r.duration_ms, r.overlap, r.output_bytes"

static int64_t
column(sqlite3_stmt *q, int nth, int64_t otherwise)
{
	return sqlite3_column_type(q, nth) == SQLITE_NULL
		   ? otherwise
		   : sqlite3_column_int64(q, nth);
}

/* Lent by the statement. */
static struct store_job_run
read_run(sqlite3_stmt *q)
{
	return (struct store_job_run){
		.n = (uint64_t)column(q, 0, 0),
		.host = db_text(q, 1),
		.name = db_text(q, 2),
		.run_id = db_text(q, 3),
		.started_ms = column(q, 4, 0),
		.ended_ms = column(q, 5, 0),
		.exit_code = (int)column(q, 6, -1),
		.signal = (int)column(q, 7, 0),
		.duration_ms = column(q, 8, -1),
		.overlap = column(q, 9, 0) != 0,
		.output_bytes = column(q, 10, -1),
	};
}

struct load {
	store_job_fn *fn;
	void *arg;
};

static bool
load_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	const struct load *l = arg;
	sqlite3_stmt *q = db_sql(db,
	    "SELECT " RUN_COLUMNS
	    ", j.host, j.name, j.every_ms, j.grace_ms, j.first_ms,"
	    " (SELECT max(started_ms) FROM job_runs"
	    "  WHERE host = j.host AND name = j.name AND overlap = 1)"
	    " FROM jobs AS j LEFT JOIN job_runs AS r ON r.n ="
	    " (SELECT n FROM job_runs WHERE host = j.host AND name = j.name"
	    "  AND overlap = 0 ORDER BY started_ms DESC, n DESC LIMIT 1)");
	int got;

	(void)h;
	while ((got = db_row(q, err)) == 1) {
		struct store_job j = {
			.last = read_run(q),
			.host = db_text(q, 11),
			.name = db_text(q, 12),
			.every_ms = column(q, 13, 0),
			.grace_ms = column(q, 14, 0),
			.first_ms = column(q, 15, 0),
			.overlap_ms = column(q, 16, 0),
		};

		l->fn(l->arg, &j);
	}
	return got == 0;
}

bool
store_load_jobs(struct store *s, store_job_fn *fn, void *arg, struct err *err)
{
	struct load l = { fn, arg };

	return db_now(s->db, load_job, &l, err);
}

struct list {
	struct store_job_filter filter; /* texts owned */
	void *texts;
	store_job_runs_fn *fn;
	void *arg;
	struct store_job_run *runs;
	void **blocks; /* with their texts */
	size_t n;
};

static void
forget_rows(struct list *l)
{
	while (l->n > 0)
		free(l->blocks[--l->n]);
}

static bool
keep_row(struct list *l, sqlite3_stmt *q, struct err *err)
{
	struct store_job_run *r = &l->runs[l->n];
	const struct db_lent lent[] = {
		{ &r->host, 0 },
		{ &r->name, 0 },
		{ &r->run_id, 0 },
		{ &r->output, (size_t)sqlite3_column_bytes(q, 11) },
	};

	*r = read_run(q);
	r->output = sqlite3_column_blob(q, 11);
	r->output_len = (size_t)sqlite3_column_bytes(q, 11);
	l->blocks[l->n] = db_keep(lent, sizeof lent / sizeof *lent, err);
	if (l->blocks[l->n] == NULL)
		return false;
	l->n++;
	return true;
}

static bool
runs_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct list *l = arg;
	sqlite3_stmt *q = db_sql(db,
	    "SELECT " RUN_COLUMNS ", r.output FROM job_runs AS r"
	    " WHERE r.name = ?1 AND (?2 IS NULL OR r.host = ?2) AND r.n < ?3"
	    " ORDER BY r.n DESC LIMIT ?4");
	int got;

	(void)h;
	forget_rows(l);
	db_bind(q, 1, l->filter.name);
	db_bind(q, 2, l->filter.host);
	sqlite3_bind_int64(q, 3,
	    l->filter.before == 0 ? INT64_MAX : (int64_t)l->filter.before);
	sqlite3_bind_int64(q, 4, l->filter.limit);
	while ((got = db_row(q, err)) == 1)
		if (!keep_row(l, q, err))
			return false;
	return got == 0;
}

static void
list_free(struct list *l)
{
	forget_rows(l);
	free(l->runs);
	free(l->blocks);
	free(l->texts);
	free(l);
}

static void
listed(void *arg, const struct err *err)
{
	struct list *l = arg;

	l->fn(l->arg, l->runs, err == NULL ? l->n : 0, err);
	list_free(l);
}

bool
store_job_runs(struct store *s, const struct store_job_filter *filter,
    store_job_runs_fn *fn, void *arg, struct err *err)
{
	struct list *l = mem_alloc(sizeof *l);
	const struct db_lent lent[] = {
		{ &l->filter.name, 0 },
		{ &l->filter.host, 0 },
	};

	l->filter = *filter;
	l->fn = fn;
	l->arg = arg;
	l->runs = mem_alloc(filter->limit * sizeof *l->runs);
	l->blocks = mem_alloc(filter->limit * sizeof *l->blocks);
	l->texts = db_keep(lent, 2, err);
	if (l->texts != NULL &&
	    db_submit(s->db, DB_MAY, runs_job, listed, l, err))
		return true;
	list_free(l);
	return false;
}
