/*
 * timer - calls back once after a while
 */
#ifndef EWS_NET_TIMER_H
#define EWS_NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

struct timer;

struct timer *timer_new(struct loop *, loop_fn *, void *arg);
/* NULL is fine. Safe inside its own callback. */
void timer_free(struct timer *);
void timer_set(struct timer *, int64_t ms); /* restarts */
void timer_stop(struct timer *);
bool timer_active(const struct timer *);

#endif
