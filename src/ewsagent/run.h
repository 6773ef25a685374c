/*
 * run - one handler under its shim, seen from the agent
 *
 * The shim (shim.c, a small process) outlives us: it runs the handler,
 * spools what it writes, enforces its deadline, and writes the end into the
 * command's directory (jobdir.h). We talk to it over a socket there, and
 * find it again after a restart.
 */
#ifndef EWS_EWSAGENT_RUN_H
#define EWS_EWSAGENT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"
#include "net/loop.h"

enum {
	RUN_LINGER_MS = 1000, /* after the exit, for what holds its pipes */
	RUN_MOP_MS = 1000, /* then TERM, and later KILL for what is left */
	RUN_GRACE_MAX_MS = 600000,
	RUN_TAIL = 1024, /* bytes */
	RUN_DIGEST_SIZE = 65
};

struct run;
struct runs;

/* Why it ended; the first one counts. */
enum run_why { RUN_SELF, RUN_TIMEOUT, RUN_CANCELLED };

struct run_stream {
	uint64_t bytes; /* written by the handler */
	uint64_t kept; /* in the spool, from 0 */
	char digest[RUN_DIGEST_SIZE]; /* SHA-256 of all bytes, in hex */
	char tail[RUN_TAIL]; /* the last bytes */
	size_t tail_len;
};

struct run_end {
	enum run_why why;
	int code; /* exit status, or -1 */
	int signal; /* that killed it, or 0 */
	int64_t started_ms, ended_ms; /* wall */
	int64_t duration_ms; /* monotonic */
	struct run_stream streams[2];
};

/* From the loop, never from inside a call of ours. 'arg' is run_start's. */
struct run_events {
	/* The handler has been executed; of an adopted one once again. */
	void (*started)(void *arg, int64_t started_ms);
	/* So many bytes of a stream are in its spool. */
	void (*output)(void *arg, int stream, uint64_t kept);
	/* So many bytes of input are in the handler's pipe; 'closed': it
	 * takes no more. Of an adopted one also at once. */
	void (*input)(void *arg, uint64_t offset, bool closed);
	/* One of these three comes once; the run is then no longer the
	 * caller's. */
	void (*end)(void *arg, const struct run_end *);
	/* It could not be executed; 'later': another attempt may work. */
	void (*failed)(void *arg, bool later, const char *error);
	/* The shim is gone and left no end. */
	void (*lost)(void *arg);
};

struct run_spec {
	const char *id; /* of the command */
	const char *path; /* absolute */
	char *const *argv, *const *env;
	const char *cwd;
	const char *payload; /* JSON text: the input, and EWS_PAYLOAD_FILE,
			      * which run adds to the environment */
	bool stdin_stream; /* the input is run_input's */
	int64_t deadline_ms, grace_ms; /* grace: between TERM and KILL */
	uint64_t output_max; /* bytes kept per stream */
};

struct runs_config {
	struct loop *loop;
	const char *dir; /* STATE/jobs; made if absent */
	const char *shim; /* path of ewsagent-shim */
	const struct run_events *events; /* lent for its life */
};

/* SIGPIPE must be ignored (prog_init). NULL with err: 'dir' is too long for
 * a socket in it, no shim... */
struct runs *runs_new(const struct runs_config *, struct err *);
/* Lets go of what runs: it runs on. Frees when the loop turns. */
void runs_free(struct runs *);

/* NULL with err; *later: the machine is short of something and another
 * attempt may succeed (ABUSE 68). The command has no directory yet, or one
 * that is RUN_NONE: it is made new. */
struct run *run_start(struct runs *, const struct run_spec *, void *arg,
    bool *later, struct err *);

/* What an earlier agent left of a command (boot: did this machine start
 * since? then nothing runs). */
enum run_found {
	RUN_NONE, /* its handler was never executed */
	RUN_ALIVE, /* *run is ours now; events follow */
	RUN_ENDED, /* 'end' is filled */
	RUN_FAILED, /* could not be executed: 'err' says why */
	RUN_LOST /* was executed, and nothing tells its end */
};
enum run_found run_find(struct runs *, const char *id, void *arg,
    struct run **run, struct run_end *end, struct err *err);
/* Forgets the command's directory; nothing of it may run any more. */
void run_forget(struct runs *, const char *id);
/* Removes the directories of commands that 'keep' does not want and that no
 * shim holds. At the start, after the ledger was read. */
void runs_sweep(struct runs *, bool (*keep)(void *arg, const char *id),
    void *arg);

/* Signal to the group now, KILL after grace. */
void run_ask(struct run *, int signal, int64_t grace_ms, enum run_why);
/* Bytes for the handler's stdin; 'offset' is where they belong: bytes that
 * were taken before are dropped, a gap is dropped whole (false). The caller
 * keeps within its window. */
bool run_input(struct run *, uint64_t offset, const char *bytes, size_t len,
    bool eof);
uint64_t run_input_offset(const struct run *); /* expected next */
void run_stop_keeping(struct run *); /* the disk is needed: count only */
pid_t run_pid(const struct run *); /* the shim's */

/* Up to 'size' bytes of a stream's spool from 'offset'; 0 at its end, or if
 * it cannot be read. Works for running and for ended commands, while their
 * directory is there. */
size_t run_read(const struct runs *, const char *id, int stream,
    uint64_t offset, char *dst, size_t size);

#endif
