/*
 * bytes - a run of bytes that grows at its end and is eaten from its front
 *
 * For test programs only: running out of memory ends the program.
 */
#ifndef TOOLS_BYTES_H
#define TOOLS_BYTES_H

#include <stddef.h>

struct bytes {
	char *at; /* the first byte not yet eaten */
	size_t len;
	char *base; /* what was allocated, and how much of it */
	size_t cap;
};

/* Gives a place for 'n' more bytes; count them with 'len' when written. */
char *bytes_room(struct bytes *, size_t n);

void bytes_put(struct bytes *, const void *, size_t n);
void bytes_eat(struct bytes *, size_t n);
void bytes_fini(struct bytes *);

#endif
