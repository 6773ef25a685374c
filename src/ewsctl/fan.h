/*
 * fan - one command for many agents: run and send with --target
 */
#ifndef EWS_EWSCTL_FAN_H
#define EWS_EWSCTL_FAN_H

#include "ewsctl/ask.h"

/* The verbs, when --target is given; the arguments begin with TYPE. Gives
 * the exit status, err set or not. */
int fan_run(struct ask *, struct err *);
int fan_send(struct ask *, struct err *);

#endif
