/*
 * unix - Unix sockets: binding, connecting, who is there
 */
#ifndef EWS_LIB_UNIX_H
#define EWS_LIB_UNIX_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/err.h"

/* A listening descriptor (close on exec, non-blocking), or -1. The file is
 * made with 'mode' from its first moment. A stale file is replaced only if
 * nobody answers on it; a symlink, another's file or a directory that all may
 * write to refuses (ABUSE 51, 55). Changes the umask for a moment: before
 * there are threads. */
int unix_listen(const char *path, mode_t mode, int backlog, struct err *);

/* A connected blocking descriptor (close on exec), or -1 with errno and
 * EXIT_UNREACHABLE "PATH: REASON", or EXIT_DENIED where the mode of the file
 * keeps us out. Waits at most 5 s for a full backlog. */
int unix_connect(const char *path, struct err *);

struct unix_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid; /* -1 where the system does not tell */
};
bool unix_peer(int fd, struct unix_peer *);
/* Is it our own uid, root, or a member of 'group' ((gid_t)-1: none)? */
bool unix_peer_ok(const struct unix_peer *, gid_t group);

#endif
