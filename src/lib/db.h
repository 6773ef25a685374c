/*
 * db - a SQLite file, one writer thread, many writes to a commit
 *
 * Linked by ewsd (store) and ewsagent (ledger). WAL, synchronous=FULL, on
 * macOS fullfsync. All jobs that gathered while the last transaction was
 * being synced go into the next one. A job runs on the writer thread; its
 * 'done' runs on the thread that calls db_drain, after the commit is on
 * disk, in the order of submission. After a failed commit or sync the
 * file is reopened, never retried in faith (DESIGN 5). While the disk
 * refuses, reads are still answered and writes fail at once; every
 * 'retry_ms' the file is tried again, also when nobody asks.
 */
#ifndef EWS_LIB_DB_H
#define EWS_LIB_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct db;

/* Writes or reads, and returns false with err to fail alone: its own writes
 * are undone, the batch goes on. A job may be run again, after a rollback,
 * whatever it returned: it starts from scratch each time, and keeps in
 * 'arg' only what a second run overwrites. */
typedef bool db_job_fn(sqlite3 *, struct db *, void *arg, struct err *);
/* err is NULL when the transaction is on disk. */
typedef void db_done_fn(void *arg, const struct err *err);

struct db_config {
	const char *path;
	int application_id; /* PRAGMA application_id: ours or refused */
	const char *const *migrations; /* SQL, numbered from 1, NULL ends */
	size_t max_jobs; /* waiting; more are refused (EXIT_RETRY) */
	void (*wake)(void *arg); /* from the writer: call db_drain soon */
	void *arg;
	int retry_ms; /* between attempts while the disk refuses; 0: 1000 */
};

/* Locks against a second opener (PATH.lock, flock), checks owner and mode,
 * migrates, refuses a newer, foreign or damaged file with advice (ABUSE
 * 72, 74). NULL with err. */
struct db *db_open(const struct db_config *, struct err *);
/* Commits what waits, calls what is done, joins the thread. */
void db_close(struct db *);

enum db_flag {
	DB_MAY = 0, /* a disk error is its answer */
	DB_MUST = 1, /* kept and tried again until the disk takes it; its
			 * done sees an error only at db_close, or when the
			 * job itself failed */
	DB_LAZY = 2 /* as DB_MUST, but nobody waits for it: it may rest for
		     * DB_LAZY_MS, to share the sync of others */
};
enum { DB_LAZY_MS = 10 };
/* 'arg' stays the caller's; it must live until done. False with err
 * (EXIT_RETRY) when max_jobs wait; then done is not called. Jobs that
 * must be done are refused only at four times max_jobs. */
bool db_submit(struct db *, enum db_flag, db_job_fn *, db_done_fn *, void *arg,
    struct err *);
/* Runs the finished jobs' done. From one thread only. */
void db_drain(struct db *);
/* Waits until everything submitted is done, then drains. While the disk
 * refuses it makes one attempt and leaves the DB_MUST jobs waiting. */
void db_flush(struct db *);
/* Runs the job in this thread's own read connection, of the thread that
 * opened: for start-up. It sees what is committed and cannot write. */
bool db_now(struct db *, db_job_fn *, void *arg, struct err *);

/* A cached prepared statement of the connection the job runs on; reset
 * and with its bindings cleared. 'sql' is a literal: values are bound,
 * never part of it. Aborts on a SQL mistake of ours; NULL, which db_step
 * and db_row report, when the disk cannot be read. */
sqlite3_stmt *db_sql(struct db *, const char *sql);
/* Steps a statement that returns no row. False with err. */
bool db_step(sqlite3_stmt *, struct err *);
/* Steps to the next row: 1 a row, 0 no more, -1 with err. */
int db_row(sqlite3_stmt *, struct err *);
void db_bind(sqlite3_stmt *, int nth, const char *text); /* or NULL; lent */
const char *db_text(sqlite3_stmt *, int column); /* or NULL; lent */

/* Copies the texts that are lent to a job into one block, and points their
 * owners there. len 0 is for strings with a NUL; every copy ends with one.
 * Gives the block; NULL with err (EXIT_RETRY) when memory is out. */
struct db_lent {
	const char **text; /* *text may be NULL */
	size_t len;
};
void *db_keep(const struct db_lent *, size_t n, struct err *);

struct db_stats {
	uint64_t commits, jobs, failures, reopened;
	uint64_t sync_us_last, sync_us_max;
	size_t waiting;
	bool failing; /* the last transaction failed */
};
void db_stats(struct db *, struct db_stats *);

#endif
