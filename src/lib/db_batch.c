#include <stdlib.h>
#include <time.h>
#include <utlist.h>

#include "lib/db_priv.h"
#include "lib/exit.h"
#include "lib/mem.h"

enum verdict {
	BATCH_OK,
	BATCH_AGAIN, /* a job failed after it had written */
	BATCH_DISK /* nothing of it is on disk */
};

int64_t
db_mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

bool
db_retry_due(const struct db *d)
{
	return db_mono_us() / 1000 >= d->retry_at_ms;
}

static void
judge(struct db_job *j, const struct err *err)
{
	free(j->err);
	j->err = NULL;
	if (err == NULL)
		return;
	j->err = mem_alloc(sizeof *j->err);
	*j->err = *err;
}

/* Sets the job's verdict; 'err' is its own. */
static bool
run_job(struct db *d, struct db_job *j)
{
	struct err err = ERR_INIT;
	bool ok;

	d->writer.rc = 0;
	ok = j->fn(d->writer.handle, d, j->arg, &err);
	if (!ok)
		err_set(&err, EXIT_INTERNAL, "internal", "the job failed");
	judge(j, ok ? NULL : &err);
	return ok;
}

/* Has the disk failed under this job, whatever the job made of it? */
static bool
disk_failed(struct db *d, const struct db_job *j, struct err *err)
{
	sqlite3 *h = d->writer.handle;

	if (!db_disk_refused(&d->writer) && !sqlite3_get_autocommit(h))
		return false;
	if (j->err != NULL)
		*err = *j->err;
	else
		db_conn_error(&d->writer, sqlite3_errcode(h), err);
	return true;
}

/* Without savepoints, which cost more than most jobs, until one is needed:
 * a job may fail freely before it has written. */
static enum verdict
run_plain(struct db *d, struct err *err)
{
	sqlite3 *h = d->writer.handle;
	struct db_job *j;

	DL_FOREACH (d->batch, j) {
		int before = sqlite3_total_changes(h);
		bool ok = run_job(d, j);

		if (disk_failed(d, j, err))
			return BATCH_DISK;
		if (!ok && sqlite3_total_changes(h) != before)
			return BATCH_AGAIN;
	}
	return BATCH_OK;
}

static enum verdict
run_guarded(struct db *d, struct err *err)
{
	struct db_job *j;

	DL_FOREACH (d->batch, j) {
		bool ok = db_exec(&d->writer, "SAVEPOINT job", err);

		ok = ok && run_job(d, j);
		if (disk_failed(d, j, err))
			return BATCH_DISK;
		db_conn_rest(&d->writer);
		if (!ok && !db_exec(&d->writer, "ROLLBACK TO job", err))
			return BATCH_DISK;
		if (!db_exec(&d->writer, "RELEASE job", err))
			return BATCH_DISK;
	}
	return BATCH_OK;
}

/* Something to write when nobody has anything: does the disk take it? */
static bool
probe(struct db *d, struct err *err)
{
	char sql[64];

	sqlite3_snprintf(sizeof sql, sql, "PRAGMA user_version=%d", d->version);
	return db_exec(&d->writer, sql, err);
}

static bool
commit(struct db *d, struct db_round *r, int before, struct err *err)
{
	int64_t start = db_mono_us();

	db_conn_rest(&d->writer);
	if (!db_exec(&d->writer, "COMMIT", err))
		return false;
	r->wrote = sqlite3_total_changes(d->writer.handle) != before;
	r->sync_us = (uint64_t)(db_mono_us() - start);
	return true;
}

/* One transaction for the batch; false with err when the disk refused. */
static bool
attempt(struct db *d, struct db_round *r, struct err *err)
{
	struct db_conn *c = &d->writer;
	enum verdict v;
	int before;

	if (c->handle == NULL && !db_conn_open(d, c, d->path, err))
		return false;
	if (d->failing && !db_exec(c, "PRAGMA query_only=0", err))
		return false;
	before = sqlite3_total_changes(c->handle);
	if (!db_exec(c, "BEGIN IMMEDIATE", err))
		return false;
	if (d->failing && !probe(d, err))
		return false;
	v = run_plain(d, err);
	if (v == BATCH_AGAIN) {
		db_conn_rest(c);
		if (!db_exec(c, "ROLLBACK", err) ||
		    !db_exec(c, "BEGIN IMMEDIATE", err))
			return false;
		v = run_guarded(d, err);
	}
	return v == BATCH_OK && commit(d, r, before, err);
}

/* The disk refuses: who only reads is served, who wants to write is told
 * why not, and who must write waits. */
static void
serve_reads(struct db *d, struct db_round *r)
{
	struct db_conn *c = &d->writer;
	struct db_job *j, *next;
	bool open = c->handle != NULL && db_exec(c, "BEGIN", NULL);

	DL_FOREACH_SAFE (d->batch, j, next) {
		DL_DELETE(d->batch, j);
		if (j->flag != DB_MAY) {
			DL_APPEND(d->kept, j);
			continue;
		}
		if (!open || (!run_job(d, j) && db_disk_refused(c)))
			judge(j, &d->cause);
		DL_APPEND(r->out, j);
	}
	db_conn_rest(c);
	if (open)
		sqlite3_exec(c->handle, "COMMIT", NULL, NULL, NULL);
}

/* A new connection, so that no page of the failed commit is believed. */
static void
fail(struct db *d, struct db_round *r, const struct err *why)
{
	d->failing = true;
	d->cause = *why;
	d->retry_at_ms = db_mono_us() / 1000 + d->retry_ms;
	db_conn_close(&d->writer);
	if (!db_conn_open(d, &d->writer, d->path, NULL))
		return;
	r->reopened = true;
	if (!db_exec(&d->writer, "PRAGMA query_only=1", NULL))
		db_conn_close(&d->writer);
}

static void
give_up(struct db *d, struct db_round *r)
{
	struct db_job *j;

	DL_FOREACH (d->kept, j)
		judge(j, &d->cause);
	DL_CONCAT(r->out, d->kept);
	d->kept = NULL;
}

void
db_batch_run(struct db *d, struct db_round *r, bool last)
{
	struct err err = ERR_INIT;

	if (d->failing && !db_retry_due(d)) {
		serve_reads(d, r);
		return;
	}
	r->attempted = true;
	DL_CONCAT(d->kept, d->batch); /* what was kept came first */
	d->batch = d->kept;
	d->kept = NULL;
	if (attempt(d, r, &err)) {
		d->failing = false;
		r->out = d->batch;
		d->batch = NULL;
		return;
	}
	fail(d, r, &err);
	serve_reads(d, r);
	if (last)
		give_up(d, r);
}
