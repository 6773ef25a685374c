/*
 * prog - what every program does first and last
 */
#ifndef EWS_LIB_PROG_H
#define EWS_LIB_PROG_H

#include "lib/err.h"

/* Sets the locale to C, SIGPIPE to ignored, opens 0..2 if closed. */
void prog_init(const char *name);
const char *prog_name(void);
const char *prog_version(void);
/* "PROGRAM: sentence" on stderr (escaped); returns the exit status. */
int prog_fail(const struct err *);
/* Flushes stdout; EXIT_IO with a sentence if that failed, else 'status'. A
 * closed pipe is no error. */
int prog_end(int status);
/* Writes "READY\n" to 'fd' (>= 0) and closes it, and tells systemd. */
void prog_ready(int fd);

#endif
