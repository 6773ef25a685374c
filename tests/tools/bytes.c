/*
 * bytes - a run of bytes that grows at its end and is eaten from its front
 */
#include "bytes.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

char *
bytes_room(struct bytes *b, size_t n)
{
	size_t gap = b->base != NULL ? (size_t)(b->at - b->base) : 0;
	size_t cap = b->cap;

	if (gap + b->len + n <= cap && b->base != NULL)
		return b->at + b->len;
	if (b->len + n <= cap / 2) { /* much was eaten: reuse its place */
		memmove(b->base, b->at, b->len);
		b->at = b->base;
		return b->at + b->len;
	}
	while (cap < gap + b->len + n || cap == 0)
		cap = cap == 0 ? 256 : cap * 2;
	b->base = realloc(b->base, cap);
	if (b->base == NULL)
		errx(70, "out of memory");
	b->at = b->base + gap;
	b->cap = cap;
	return b->at + b->len;
}

void
bytes_put(struct bytes *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(bytes_room(b, n), p, n);
	b->len += n;
}

void
bytes_eat(struct bytes *b, size_t n)
{
	b->len -= n;
	b->at = b->len == 0 ? b->base : b->at + n;
}

void
bytes_fini(struct bytes *b)
{
	free(b->base);
	*b = (struct bytes){ 0 };
}
