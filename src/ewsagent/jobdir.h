/*
 * jobdir - the directory of one command's handler
 *
 * What the agent and the shim know of each other without a word: whoever is
 * killed, the other finds it here. STATE/jobs/XXXXXXXXXXXXXXXX (SHA-256 of
 * the command's id) holds
 *   id, payload, spec   written by the agent before the shim is started
 *   lock                flock'd before the fork; free when the shim is gone;
 *                       has the shim's pid, for people
 *   sock                where the shim listens
 *   started             boot id and wall ms, before the handler's exec
 *   out, err            what the handler wrote
 *   end or failed       sealed: a torn one is none
 * A handler may have been executed if, and only if, there is 'started'
 * (DESIGN 4.3); after a power cut also without it, as it is not synced.
 */
#ifndef EWS_EWSAGENT_JOBDIR_H
#define EWS_EWSAGENT_JOBDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsagent/run_end.h"
#include "lib/err.h"
#include "lib/port.h"

enum { JOBDIR_NAME_SIZE = 17, JOBDIR_ID_MAX = 1024 };

#define JOBDIR_STREAM(i) ((i) == 0 ? "out" : "err")

void jobdir_name(char out[JOBDIR_NAME_SIZE], const char *id);
/* 'jobs' is a descriptor of STATE/jobs; what these give is to be closed. */
int jobdir_open(int jobs, const char *name); /* -1 with errno */
int jobdir_make(int jobs, const char *name); /* empty before; -1 with errno */
bool jobdir_remove(int jobs, const char *name); /* true if it is gone */

/* The lock, or -1: errno EWOULDBLOCK where a shim has it. A directory
 * without the file has it free. */
int jobdir_lock(int dir, bool make);
/* False with errno: 0 where it is free. */
bool jobdir_held(int dir);
/* Is this errno one of the machine that has no more descriptors, or no
 * memory? Then what could not be read says nothing of what is there. */
bool jobdir_is_short(int error);

/* A whole new file, not synced. False with errno. */
bool jobdir_write(int dir, const char *name, const char *bytes, size_t len);
/* Gives at most 'max' bytes and a NUL; NULL with errno. */
char *jobdir_read(int dir, const char *name, size_t max, size_t *len);

/* False, and no file, if it cannot be written. */
bool jobdir_start(int dir, int64_t wall_ms);
struct jobdir_started {
	char boot[PORT_BOOT_SIZE];
	int64_t ms; /* 0: the file is torn */
};
/* False with errno if there is none, or a shortage hides it. */
bool jobdir_started(int dir, struct jobdir_started *);

/* Renamed into place: there, or not. False with errno. An end is on the disk
 * after jobdir_sync_end, which need not wait for, nor keep waiting, who only
 * reads it; before that a power cut leaves it, none, or a torn one. */
bool jobdir_put_end(int dir, const struct run_end *);
bool jobdir_sync_end(int dir);
bool jobdir_put_failed(int dir, bool later, const char *error);
/* False with errno if there is none, or none that is whole (EBADMSG). */
bool jobdir_end(int dir, struct run_end *);
bool jobdir_failed(int dir, bool *later, struct err *);

#endif
