/*
 * db_kit - a small database for the tests of db
 */
#ifndef EWS_TESTS_DB_KIT_H
#define EWS_TESTS_DB_KIT_H

#include "check.h"
#include "lib/db.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "scratch.h"

enum { APP = 0x74657374 };

static const char *const first[] = {
	"CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER NOT NULL)", NULL
};

static inline struct db *
try_open(struct scratch *s, const char *const *migrations, struct err *err)
{
	struct db_config cfg = {
		.application_id = APP,
		.migrations = migrations,
		.max_jobs = 100,
		.retry_ms = 20,
	};

	cfg.path = scratch_path(s, "x.db");
	return db_open(&cfg, err);
}

static inline struct db *
must_open(struct scratch *s)
{
	struct err err = ERR_INIT;
	struct db *d = try_open(s, first, &err);

	if (d == NULL)
		fail_msg("%s", err.text);
	return d;
}

struct put {
	char key[32];
	int value;
	bool then_fail;
	size_t blob; /* so many more bytes in the key */
	/* what came of it */
	int runs, done, status, place;
};
static int places; /* of done, in order */

static inline bool
put_job(sqlite3 *h, struct db *d, void *arg, struct err *err)
{
	struct put *p = arg;
	sqlite3_stmt *q = db_sql(
	    d, "INSERT INTO t (k, v) VALUES (?1 || hex(zeroblob(?3)), ?2)");

	(void)h;
	p->runs++;
	db_bind(q, 1, p->key);
	sqlite3_bind_int(q, 2, p->value);
	sqlite3_bind_int64(q, 3, (int64_t)p->blob);
	if (!db_step(q, err))
		return false;
	if (p->then_fail)
		err_set(err, EXIT_DATA, "bad_argument", "as told");
	return !p->then_fail;
}

static inline void
put_done(void *arg, const struct err *err)
{
	struct put *p = arg;

	p->done++;
	p->status = err == NULL ? 0 : err->status;
	p->place = ++places;
}

static inline void
put(struct db *d, struct put *p, enum db_flag flag)
{
	assert_true(db_submit(d, flag, put_job, put_done, p, NULL));
}

struct count {
	int64_t rows;
	int done, status;
};

static inline bool
count_job(sqlite3 *h, struct db *d, void *arg, struct err *err)
{
	struct count *c = arg;
	sqlite3_stmt *q = db_sql(d, "SELECT count(*) FROM t");

	(void)h;
	if (db_row(q, err) != 1)
		return false;
	c->rows = sqlite3_column_int64(q, 0);
	return true;
}

static inline void
count_done(void *arg, const struct err *err)
{
	struct count *c = arg;

	c->done++;
	c->status = err == NULL ? 0 : err->status;
}

static inline int64_t
rows(struct db *d)
{
	struct count c = { -1, 0, 0 };

	assert_true(db_now(d, count_job, &c, NULL));
	return c.rows;
}

#endif
