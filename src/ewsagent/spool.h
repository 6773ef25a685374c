/*
 * spool - what a handler wrote, while somebody may want it
 *
 * One spool is one stream (stdout or stderr) of one command. Everything is
 * counted and digested and the last SPOOL_TAIL bytes are remembered; the
 * first 'keep' bytes also go into a file, so that a link that is down never
 * stops a handler (DESIGN 6, ABUSE 67). A file that cannot grow, because of
 * a bound or of the disk, stays as it is: the spool is then truncated.
 */
#ifndef EWS_EWSAGENT_SPOOL_H
#define EWS_EWSAGENT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

enum { SPOOL_TAIL = 1024, SPOOL_DIGEST_SIZE = 65 };

struct spool;
struct spools; /* the directory and its bound */

/* Asked when 'max' is reached: drops some spool and answers true, or
 * answers false. */
typedef bool spools_room_fn(void *arg);

/* Makes 'dir' if absent and removes whatever is in it: files of an earlier
 * process. NULL with err. 'max' is in bytes, of all files together. */
struct spools *spools_new(
    const char *dir, uint64_t max, spools_room_fn *, void *arg, struct err *);
/* After the spools. */
void spools_free(struct spools *);
uint64_t spools_bytes(const struct spools *);

/* 'stream' is a short word for the file's name. keep 0: no file. */
struct spool *
spool_new(struct spools *, const char *id, const char *stream, uint64_t keep);
void spool_free(struct spool *); /* removes the file; NULL is fine */
void spool_add(struct spool *, const char *bytes, size_t len);
/* No more will come. */
void spool_end(struct spool *);
/* Nobody wants the bytes: removes the file, counts on. */
void spool_drop(struct spool *);

uint64_t spool_bytes(const struct spool *); /* written by the handler */
uint64_t spool_kept(const struct spool *); /* readable, from 0 */
bool spool_truncated(const struct spool *); /* a bound cut it */
bool spool_final(const struct spool *); /* spool_kept will not grow */
/* Up to 'size' bytes from 'offset'; 0 at the end or if the file fails. */
size_t
spool_read(const struct spool *, uint64_t offset, char *dst, size_t size);
/* SHA-256 in hex of all bytes; after spool_end only. */
const char *spool_digest(const struct spool *);
/* The last bytes, at most SPOOL_TAIL; lent until the next spool_add. */
const char *spool_tail(const struct spool *, size_t *len);

#endif
