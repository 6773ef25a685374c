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

enum { PORT_BOOT_SIZE = 64 };
/* A word that is another after every start of the machine; false, and "-",
 * where the system does not tell. */
bool port_boot_id(char out[PORT_BOOT_SIZE]);
/* The path of the running program; false if it is not known or too long. */
bool port_program(char *out, size_t size);
/* fork for those who only arrange descriptors and exec: the child borrows our
 * memory and we wait until it has, instead of copying all tables of ours
 * (measured: 0.2 ms and not 2 ms for an agent of 8 MB). */
#ifdef __linux__
#define PORT_FORK_TO_EXEC() vfork()
#else
#define PORT_FORK_TO_EXEC() fork()
#endif
/* For a child between fork and exec: when 'parent' ends, it is sent this
 * signal. Does nothing where the system cannot. */
void port_die_with(pid_t parent, int signal);
/* Our children, at most 'max'; those that port_subreaper brings us are
 * among them. 0 where the system does not tell. */
size_t port_children(pid_t *out, size_t max);

#endif
