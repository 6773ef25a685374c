/*
 * db_priv - what the files of db share
 *
 * db.c has the queue and the writer, db_batch.c what a transaction does,
 * db_file.c the file and its lock, db_sql.c statements and errors.
 */
#ifndef EWS_LIB_DB_PRIV_H
#define EWS_LIB_DB_PRIV_H

#include <pthread.h>

#include "lib/db.h"

enum { DB_STATEMENTS_MAX = 128, DB_BATCH_MAX = 1000 };

struct db_conn {
	struct db *db;
	sqlite3 *handle; /* NULL: could not be opened */
	int rc; /* of the last failed statement, 0: none */
	size_t n;
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} cached[DB_STATEMENTS_MAX];
};

struct db_job {
	struct db_job *prev, *next;
	db_job_fn *fn;
	db_done_fn *done;
	void *arg;
	struct err *err; /* NULL: it went well */
	enum db_flag flag;
};

struct db {
	/* set at the start */
	char *path;
	int application_id, version, retry_ms;
	const char *const *migrations;
	size_t max_jobs;
	void (*wake)(void *arg);
	void *arg;
	int lock_fd, kick[2];
	pthread_t thread;

	/* Open as long as the database, and never closed by an error: while
	 * one connection lives, SQLite's index of the WAL does, too. Without
	 * it a reopened file would be read back from the WAL, together with
	 * a commit whose sync failed and that we called failed. */
	struct db_conn keeper;

	/* the writer's own */
	struct db_conn writer;
	struct db_job *batch, *kept; /* kept: MUST, from a failed batch */
	struct err cause; /* of the failure */
	int64_t retry_at_ms;
	bool failing;

	/* under 'lock' */
	pthread_mutex_t lock;
	pthread_cond_t settled;
	struct db_job *fresh, *finished, *spare;
	size_t nkept;
	uint64_t attempts;
	bool stop, sleeping, hurry;
	bool urgent; /* somebody waits for one of 'fresh' */
	int64_t due_us; /* when the others must go, urgent or not */
	struct db_stats stats;
	char failure[ERR_TEXT_MAX];

	bool told; /* the drainer's: the log says it is failing */
};

/* db_batch.c: runs d->batch, leaves what must wait in d->kept and moves the
 * rest to 'out' with its verdicts. */
struct db_round {
	struct db_job *out;
	bool attempted, wrote, reopened;
	uint64_t sync_us;
};
void db_batch_run(struct db *, struct db_round *, bool last);
bool db_retry_due(const struct db *);
int64_t db_mono_us(void);

/* db_file.c */
bool db_file_open(struct db *, struct err *);
void db_file_close(struct db *);
bool
db_conn_open(struct db *, struct db_conn *, const char *path, struct err *);
void db_conn_close(struct db_conn *);

/* db_lock.c: the second opener is refused. 'unclean': the last one that had
 * it open did not close it. */
bool db_lock(struct db *, bool *unclean, struct err *);
/* False when the disk refuses: then a lost WAL goes unseen, or what was
 * closed still counts as open. */
bool db_lock_mark(struct db *, bool open);
void db_unlock(struct db *);
/* Is the file at PATH ours to open? 'absent': there is none. */
bool db_look(struct db *, bool unclean, bool *absent, struct err *);

/* db_sql.c: where db_sql prepares, for this thread. */
extern _Thread_local struct db_conn *db_here;
bool db_exec(struct db_conn *, const char *sql, struct err *);
bool db_pragma(struct db_conn *, const char *sql, int64_t *out, struct err *);
void db_conn_rest(struct db_conn *); /* resets what still reads */
void db_conn_error(struct db_conn *, int rc, struct err *);
bool db_disk_refused(const struct db_conn *); /* not a job's own fault */

#endif
