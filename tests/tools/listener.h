/*
 * listener - sockets to be called at; failure ends the program
 *
 * They do not block, and nobody from another machine can reach them.
 */
#ifndef TOOLS_LISTENER_H
#define TOOLS_LISTENER_H

/* On 127.0.0.1; port 0 is any, and '*got' tells which. */
int listener_tcp(int port, int *got);

/* Takes the place of what is there. */
int listener_unix(const char *path);

#endif
