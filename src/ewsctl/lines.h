/*
 * lines - many commands in one go: `send --lines`
 */
#ifndef EWS_EWSCTL_LINES_H
#define EWS_EWSCTL_LINES_H

#include "ewsctl/ask.h"

/*
 * Sends every line of 'file' ("-": stdin), a JSON object with the fields of
 * the send operation; flags are the defaults for what a line leaves out.
 * Many are under way at a time; the receipts come in the order of the
 * lines. A bad line is told with its number and does not stop the others.
 * Gives the exit status of the first that failed, or 0.
 */
int lines_send(struct ask *, const char *file, struct err *);

#endif
