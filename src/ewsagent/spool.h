/*
 * spool - what a handler writes to one stream, written down by its shim
 *
 * Everything is counted and digested and the last RUN_TAIL bytes are
 * remembered; the first 'keep' bytes also go into a file, so that neither a
 * link that is down nor an agent that is gone stops a handler (DESIGN 6,
 * ABUSE 67). A file that cannot grow, because of the bound or of the disk,
 * stays as it is.
 */
#ifndef EWS_EWSAGENT_SPOOL_H
#define EWS_EWSAGENT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsagent/run_end.h"

struct spool;

/* Makes the file 'name' in the directory 'dir'. keep 0: no file. */
struct spool *spool_new(int dir, const char *name, uint64_t keep);
void spool_free(struct spool *); /* the file stays; NULL is fine */
void spool_add(struct spool *, const char *bytes, size_t len);
void spool_stop(struct spool *); /* count only from now on */

uint64_t spool_kept(const struct spool *); /* readable, from 0 */
/* What is known up to now. */
void spool_sum(const struct spool *, struct run_stream *);

#endif
