/*
 * ctl_priv - bytes in and out, below the requests and answers of ctl.c
 *
 * The socket never blocks: whoever sends without reading must not wait for
 * a hub that in turn waits until its answers are read.
 */
#ifndef EWS_LIB_CTL_PRIV_H
#define EWS_LIB_CTL_PRIV_H

#include "lib/buf.h"
#include "lib/ctl.h"

struct ctl_io {
	int fd;
	struct buf out, in;
	size_t sent; /* of 'out': gone already */
	size_t read; /* of 'in': lines that were given out */
	size_t lines; /* of 'in': whole ones behind 'read' */
	bool hung_up; /* nothing more comes */
	bool deaf; /* takes nothing more; answers may still come */
};

void ctl_io_init(struct ctl_io *, int fd);
void ctl_io_fini(struct ctl_io *);

/* Queues bytes and sends what goes without waiting. */
bool ctl_io_put(struct ctl_io *, const char *line, size_t len, struct err *);
/* The offset and length of the next whole line; it is then given out, and
 * stays until the next call. A NUL takes the place of its newline. */
bool ctl_io_line(struct ctl_io *, size_t *at, size_t *len);
/* Waits until bytes moved, in either direction. The deadline is monotonic,
 * -1 is never. */
bool ctl_io_wait(struct ctl_io *, int64_t deadline_ms, struct err *);

#endif
