/*
 * port - what Linux and macOS do differently; nothing else may know
 */
#ifndef EWS_LIB_PORT_H
#define EWS_LIB_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* accept + close-on-exec + non-blocking. -1 with errno. */
int port_accept(int fd);
int port_pipe(int fds[2]); /* close on exec */
int port_socket(int domain, int type); /* close on exec, non-blocking */
bool port_peer(int fd, uid_t *, gid_t *, pid_t *);
int port_sync(int fd); /* F_FULLFSYNC on macOS, else fsync */
void port_random(void *out, size_t len); /* aborts on failure */
/* SO_RCVLOWAT, where a level-triggered poll honours it. */
bool port_lowat(int fd, int bytes);
/* The process leads a group that its orphans fall back to (Linux: child
 * subreaper); false where that is not to be had. */
bool port_subreaper(void);
uint64_t port_rss(void); /* resident bytes, 0 if unknown */

#endif
