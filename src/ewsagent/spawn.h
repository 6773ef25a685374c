/*
 * spawn - starts a program, and nothing but that program
 *
 * execve of a fixed path, never a shell, not even for a script without a
 * "#!" line. The child leads its own session and process group, has default
 * signals, an empty signal mask, umask 022, and no descriptors but its three
 * and those in 'keep'. By hand and not by uv_spawn, which hands out socket
 * pairs (writing to /dev/stderr then fails) and falls back to /bin/sh.
 */
#ifndef EWS_EWSAGENT_SPAWN_H
#define EWS_EWSAGENT_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/err.h"

enum spawn_in { SPAWN_PIPE, SPAWN_FILE, SPAWN_NULL };

struct spawn {
	const char *path; /* absolute */
	char *const *argv, *const *env;
	const char *cwd;
	enum spawn_in in; /* SPAWN_NULL: stdout and stderr, too, are
			   * /dev/null, and 'fds' stays untouched */
	int in_fd; /* SPAWN_FILE: lent, open for reading */
	const int *keep; /* descriptors over 2 that it inherits under their
			  * own numbers */
	unsigned n_keep;
	bool with_us; /* is killed when we end, where the system can */
};

/* The child's pid, with our ends of its stdin (-1 unless SPAWN_PIPE), stdout
 * and stderr in 'fds' (close on exec). Or -1 with err; *later is true where
 * the machine is short of something and another attempt may succeed (ABUSE
 * 68). Returns when the program has been executed. */
pid_t spawn_start(const struct spawn *, int fds[3], bool *later, struct err *);

#endif
