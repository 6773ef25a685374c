/*
 * run - one handler under its shim, seen from the agent
 *
 * The shim (shim.c, a small process) outlives us: it runs the handler,
 * spools what it writes, enforces its deadline, and writes the end into the
 * command's directory (jobdir.h). We talk to it over a socket there
 * (shim_priv.h), and find it again after a restart.
 */
#ifndef EWS_EWSAGENT_RUN_H
#define EWS_EWSAGENT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ewsagent/run_end.h"
#include "lib/err.h"
#include "lib/path.h"
#include "net/loop.h"

struct run;
struct runs;

/* From the loop, never from inside a call of ours. 'arg' is run_start's. */
struct run_events {
	/* The handler has been executed; of an adopted one once again. */
	void (*started)(void *arg, int64_t started_ms);
	/* So many bytes of a stream are in its spool. */
	void (*output)(void *arg, int stream, uint64_t kept);
	/* Of stdin_stream only: so many bytes of input are in the handler's
	 * pipe; 'closed': it takes no more, or had all to its eof. Of an
	 * adopted one also at once. */
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

/* Where ewsagent-shim is: the setting if it is not NULL or "", else beside
 * our own executable, else in ../libexec/ews/ from there. False with err
 * (78) if no program is there. */
bool runs_shim_path(char out[PATH_SIZE], const char *setting, struct err *);

/* SIGPIPE must be ignored (prog_init). NULL with err (78): 'dir' is too long
 * for a socket in it, no shim... */
struct runs *runs_new(const struct runs_config *, struct err *);
/* Lets go of what runs: it runs on. Frees when the loop turns. */
void runs_free(struct runs *);

/* NULL with err; *later: the machine is short of something and another
 * attempt may succeed (ABUSE 68). The command has no directory yet, or one
 * that is RUN_NONE or of an ended one: it is made new. That the handler
 * itself cannot be executed comes as an event. */
struct run *run_start(struct runs *, const struct run_spec *, void *arg,
    bool *later, struct err *);

/* What an earlier agent left of a command. After another start of the
 * machine nothing runs and RUN_NONE proves nothing: 'started' is not synced,
 * so that the caller compares port_boot_id with what its ledger has. */
enum run_found {
	RUN_NONE, /* its handler was never executed */
	RUN_ALIVE, /* *run is ours now; events follow. Also where a shortage
		    * (EMFILE) hides what is there: they tell it later */
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
void
runs_sweep(struct runs *, bool (*keep)(void *arg, const char *id), void *arg);

/* Signal to the group now, KILL after grace. */
void run_ask(struct run *, int signal, int64_t grace_ms, enum run_why);
/* Bytes for the handler's stdin; 'offset' is where they belong: bytes that
 * were taken before are dropped, a gap is dropped whole (false). Of an
 * adopted one everything is a gap until its first 'input' event. The caller
 * keeps within its window (1 MiB at most). */
bool run_input(
    struct run *, uint64_t offset, const char *bytes, size_t len, bool eof);
uint64_t run_input_offset(const struct run *); /* expected next */
bool run_input_eof(const struct run *); /* or nothing */
void run_stop_keeping(struct run *); /* the disk is needed: count only */
pid_t run_pid(const struct run *); /* the shim's; 0: not known yet */

/* Up to 'size' bytes of a stream's spool from 'offset'; 0 at its end, or if
 * it cannot be read. Works for running and for ended commands, while their
 * directory is there. */
size_t run_read(const struct runs *, const char *id, int stream,
    uint64_t offset, char *dst, size_t size);

#endif
