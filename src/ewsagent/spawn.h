/*
 * spawn - starts a program, and nothing but that program
 *
 * execve of a fixed path, never a shell, not even for a script without a
 * "#!" line. The child leads its own session and process group, has default
 * signals, an empty signal mask, umask 022, and no descriptors but its three
 * pipes. By hand and not by uv_spawn, which hands out socket pairs (writing
 * to /dev/stderr then fails) and falls back to /bin/sh.
 */
#ifndef EWS_EWSAGENT_SPAWN_H
#define EWS_EWSAGENT_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/err.h"

struct spawn {
	const char *path; /* absolute */
	char *const *argv, *const *env;
	const char *cwd;
};

/* The child's pid, with our ends of its stdin, stdout and stderr in 'fds'
 * (close on exec). Or -1 with err; *later is true where the machine is
 * short of something and another attempt may succeed (ABUSE 68). Returns
 * when the program has been executed. */
pid_t spawn_start(const struct spawn *, int fds[3], bool *later, struct err *);

#endif
