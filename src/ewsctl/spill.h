/*
 * spill - bytes that are shown later, or never
 *
 * In memory up to a bound, then in a file without a name in $TMPDIR, which
 * is bounded, too: what has no room is counted, and the owner says so.
 */
#ifndef EWS_EWSCTL_SPILL_H
#define EWS_EWSCTL_SPILL_H

#include <stddef.h>
#include <stdint.h>

enum { SPILL_MEMORY = 512 * 1024, SPILL_MAX = 256 * 1024 * 1024 };

struct spill;

struct spill *spill_new(void);
void spill_free(struct spill *);
void spill_add(struct spill *, const void *bytes, size_t len);
uint64_t spill_lost(const struct spill *); /* had no room */
/* Writes all of it to 'fd' (emit.h). */
void spill_emit(struct spill *, int fd);

#endif
