/*
 * shim_priv - what shim*.c share; nobody else includes this
 *
 * shim.c       start, the loop, the handler's output and its times
 * shim_input.c the handler's stdin
 * shim_conn.c  the agent: what it is told, what it asks
 * shim_end.c   the end: written down, and what was left behind mopped up
 * shim_spec.c  the order
 *
 * On the socket, both ways, lines with numbers in decimal. The shim speaks
 * first, and at once of all that is so; later of what has changed, the
 * newest number for all before it. A word that is not known is passed over.
 *
 *   ews-shim 1 PID             the version of this
 *   started WALL_MS
 *   output STREAM KEPT         0 or 1; bytes in its spool
 *   input WRITTEN TAKEN SHUT EOF
 *                              in the pipe; taken; 1: no more is wanted;
 *                              1: its end was taken
 *   over                       'end' or 'failed' is in the directory
 *
 *   ask SIGNAL GRACE_MS WHY    self, timeout, cancelled
 *   input OFFSET LEN EOF       followed by LEN bytes
 *   nokeep                     count the output only
 */
#ifndef EWS_EWSAGENT_SHIM_PRIV_H
#define EWS_EWSAGENT_SHIM_PRIV_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ewsagent/jobdir.h"
#include "ewsagent/shim_spec.h"
#include "ewsagent/spool.h"
#include "lib/buf.h"

enum {
	SHIM_VERSION = 1,
	SHIM_READ = 65536,
	SHIM_INPUT_MAX = 1 << 20, /* then the agent's socket is not read */
	SHIM_LINE_MAX = 256
};

enum shim_state {
	SHIM_ALIVE, /* due: its deadline */
	SHIM_ASKED, /* was sent a signal; due: KILL */
	SHIM_EXITED, /* pipes may be open; due: no longer waited for */
	SHIM_ENDED /* due: mopping, writing the end */
};

struct shim_input {
	int fd; /* -1: shut */
	struct buf buf; /* taken and not written */
	uint64_t written;
	bool eof; /* none follows what is in 'buf' */
};

struct shim_conn {
	int fd; /* -1: no agent */
	char out[1024]; /* composed and not sent */
	size_t out_len;
	char line[SHIM_LINE_MAX]; /* without its end */
	size_t line_len;
	uint64_t body, body_at; /* of an input: bytes to come, their offset */
	bool body_eof;
	/* what the agent does not know yet */
	bool greet, tell_start, tell_input, tell_over;
	bool tell_output[2];
};

struct shim {
	int dir, listener, lock;
	int signals[2]; /* pipe from the signal handler */
	struct shim_spec spec;
	enum shim_state state;
	pid_t pid; /* of the handler, and its group */
	int64_t started_mono, due; /* monotonic ms; INT64_MAX: never */
	int out[2]; /* the handler's pipes, -1: at its end */
	struct spool *spools[2];
	struct shim_input input;
	struct shim_conn conn;
	struct run_end end;
	unsigned mops;
	int64_t mop_due, put_due, put_wait, sync_due;
	bool group_gone, mopped, written, synced;
	char bytes[SHIM_READ];
};

int64_t shim_now(void); /* monotonic ms */

/* shim.c */
/* Was its directory removed? Then nobody waits for its end. */
bool shim_forgotten(const struct shim *);
void shim_ask(struct shim *, int signal, int64_t grace_ms, enum run_why);

/* shim_input.c */
void shim_input_init(struct shim *, int fd);
uint64_t shim_input_taken(const struct shim *);
void shim_input_take(
    struct shim *, uint64_t offset, const char *bytes, size_t len, bool eof);
short shim_input_want(const struct shim *); /* poll events; -1: none */
void shim_input_ready(struct shim *, short revents);
void shim_input_shut(struct shim *);

/* shim_conn.c */
void shim_conn_accept(struct shim *); /* the newest replaces the last */
short shim_conn_want(struct shim *);
void shim_conn_ready(struct shim *, short revents);
bool shim_conn_told(const struct shim *); /* or nobody is there */

/* shim_end.c */
void shim_end_begin(struct shim *);
void shim_end_step(struct shim *); /* at s->due */
bool shim_end_done(const struct shim *);

#endif
