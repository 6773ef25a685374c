/*
 * run_priv - what run*.c share; nobody else includes this
 *
 * run.c       the set, what is on the disk, one run's end
 * run_start.c a directory, a socket, a shim
 * run_conn.c  what the shim says and is asked
 */
#ifndef EWS_EWSAGENT_RUN_PRIV_H
#define EWS_EWSAGENT_RUN_PRIV_H

#include "ewsagent/jobdir.h"
#include "ewsagent/run.h"
#include "lib/line.h"
#include "net/timer.h"

enum { RUN_RETRY_MS = 20, RUN_RETRY_MAX_MS = 1000, RUN_CHUNK = 65536 };

struct runs {
	struct loop *loop;
	char dir[PATH_SIZE], shim[PATH_SIZE];
	const struct run_events *events;
	int jobs; /* descriptor of 'dir' */
	struct run *list;
	uv_signal_t child;
	pid_t *shims; /* ours, not reaped yet */
	size_t n_shims, max_shims;
};

/* Memory with libuv handles: freed when both are closed. */
struct run_conn {
	uv_pipe_t pipe;
	struct run *run; /* NULL: let go */
	struct line *line;
	char buf[4096];
};

struct run {
	struct runs *set;
	struct run *prev, *next;
	void *arg;
	char name[JOBDIR_NAME_SIZE];
	pid_t shim;
	struct run_conn *conn; /* NULL: not connected */
	struct timer *timer; /* connects again, or looks at the disk */
	int64_t wait_ms;
	uint64_t taken, poured; /* input */
	bool known; /* 'taken' is true */
	bool input_eof; /* and nothing comes after it */
	bool stream, shut;
	bool told_start;
	bool over; /* the shim says that the end is written */
	/* said in one piece of what was read, told after it */
	bool is_started, is_input, is_output[2];
	int64_t started_ms;
	uint64_t kept[2];
	/* asked while there is no connection */
	bool stop_keeping, asked;
	int ask_signal;
	int64_t ask_grace_ms;
	enum run_why ask_why;
};

struct run *run_new(struct runs *, const char *name, void *arg);
void run_free(struct run *);
/* The socket's path; PATH_SIZE is enough once runs_new has agreed. */
void run_path(
    const struct runs *, char out[PATH_SIZE], const char *name, const char *);
void run_settle(struct run *); /* looks at the disk: may free it */

/* run_start.c */
void runs_reap(struct runs *);

/* run_conn.c */
bool run_connect(struct run *); /* false: errno */
void run_disconnect(struct run *);

#endif
