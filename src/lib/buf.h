/*
 * buf - a growing run of bytes with a limit
 *
 * Going over the limit, or out of memory, marks the buffer failed: later
 * writes do nothing, and the owner asks once at the end. The bytes are
 * always followed by a NUL that is not counted.
 */
#ifndef EWS_LIB_BUF_H
#define EWS_LIB_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *bytes; /* NULL while empty */
	size_t len, cap, max;
	bool failed;
};

void buf_init(struct buf *, size_t max);
void buf_fini(struct buf *);
void buf_add(struct buf *, const void *bytes, size_t len);
void buf_text(struct buf *, const char *text);
void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; the bytes must be UTF-8. */
void buf_json(struct buf *, const char *bytes, size_t len);
void buf_drop(struct buf *, size_t front); /* removes from the front */
void buf_reset(struct buf *); /* empty, memory kept, failure forgotten */
char *buf_take(struct buf *, size_t *len); /* gives; NULL if failed */

#endif
