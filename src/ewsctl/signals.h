/*
 * signals - Ctrl-C and TERM as something that poll(2) can wait for
 *
 * The handler only writes to a pipe: what a signal means is decided where
 * the wait is.
 */
#ifndef EWS_EWSCTL_SIGNALS_H
#define EWS_EWSCTL_SIGNALS_H

/* A handler that is sent SIGINT for us has so long to obey, then it is killed:
 * the most that an agent gives, ewsagent(8). */
enum { SIGNALS_GRACE_MS = 600 * 1000 };

/* From now on INT and TERM are caught; once is enough. An INT that is
 * ignored, as in the background of a script, stays ignored; HUP ends us. */
void signals_catch(void);
/* They end us again. */
void signals_release(void);
/* Readable when one has come; -1 while none is caught. */
int signals_fd(void);
/* The next one that came, or 0. */
int signals_next(void);

#endif
