/*
 * run - one handler process, from exec to its end
 *
 * Its input is written and its output read by the loop; it never waits for
 * us. It has ended when the process has exited and both output pipes gave
 * their end, or RUN_LINGER_MS after the exit if something it left behind
 * holds them. What then remains of its process group is sent TERM, and
 * RUN_MOP_MS later KILL (ABUSE 66); a child in a session of its own is not
 * hunted, but writes into a closed pipe.
 */
#ifndef EWS_EWSAGENT_RUN_H
#define EWS_EWSAGENT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ewsagent/spawn.h"
#include "lib/err.h"
#include "net/loop.h"

enum { RUN_LINGER_MS = 1000, RUN_MOP_MS = 1000, RUN_GRACE_MAX_MS = 600000 };

struct run;
struct runs;

/* Why it ended; the first one counts. */
enum run_why { RUN_SELF, RUN_TIMEOUT, RUN_CANCELLED, RUN_STOPPED };

struct run_end {
	enum run_why why;
	int code; /* exit status, or -1 */
	int signal; /* that killed it, or 0 */
};

struct run_events {
	/* 'stream' is 0 for stdout and 1 for stderr; the bytes are lent. */
	void (*output)(void *arg, int stream, const char *bytes, size_t len);
	/* Once, never from inside run_start or run_ask; the run is then no
	 * longer the caller's. */
	void (*end)(void *arg, const struct run_end *);
};

struct run_spec {
	struct spawn spawn;
	char *input; /* taken, also on failure: heap */
	int64_t deadline_ms, grace_ms; /* grace: between TERM and KILL */
};

/* 'events' is lent for its life. SIGPIPE must be ignored (prog_init). */
struct runs *runs_new(struct loop *, const struct run_events *);
/* Kills what runs without telling its end. Frees when the loop turns. */
void runs_free(struct runs *);

/* NULL with err; *later as in spawn_start. */
struct run *run_start(struct runs *, const struct run_spec *, void *arg,
    bool *later, struct err *);
/* Signal to the group now, KILL after grace. */
void run_ask(struct run *, int signal, int64_t grace_ms, enum run_why);
pid_t run_pid(const struct run *);

#endif
