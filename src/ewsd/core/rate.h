/*
 * rate - token buckets by name, in a table of bounded size
 *
 * When the table is full the name that was asked for longest ago is
 * forgotten: a stranger with many names costs no memory.
 */
#ifndef EWS_EWSD_RATE_H
#define EWS_EWSD_RATE_H

#include <stddef.h>
#include <stdint.h>

struct rate;

/* 'burst' at once, and as many again every 'window_ms'; a burst of 0 is no
 * limit. At most 'names' are remembered. */
struct rate *rate_new(unsigned burst, int64_t window_ms, size_t names);
void rate_free(struct rate *);
/* Takes one. 0: granted; else the milliseconds until there is one. */
int64_t rate_take(struct rate *, const char *name, int64_t mono_ms);

#endif
