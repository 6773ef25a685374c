#include "ewsctl/cron_tail.h"

#include <string.h>

#include "lib/mem.h"

void
cron_tail_add(struct cron_child *c, const char *bytes, size_t len)
{
	size_t at, part;

	if (len > CRON_TAIL) {
		c->total += len - CRON_TAIL;
		bytes += len - CRON_TAIL;
		len = CRON_TAIL;
	}
	at = c->total % CRON_TAIL;
	part = len < CRON_TAIL - at ? len : CRON_TAIL - at;
	memcpy(c->tail + at, bytes, part);
	memcpy(c->tail, bytes + part, len - part);
	c->total += len;
}

/* The front may be the rest of a character: at most three bytes of it. */
static size_t
split_front(const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < 3 && n < len && ((unsigned char)bytes[n] & 0xc0) == 0x80)
		n++;
	return n;
}

char *
cron_child_tail(const struct cron_child *c, size_t *len)
{
	size_t at = c->total % CRON_TAIL, cut;
	char *bytes;

	if (c->total <= CRON_TAIL) {
		*len = (size_t)c->total;
		return mem_dupn(c->tail, *len);
	}
	bytes = mem_alloc(CRON_TAIL + 1);
	memcpy(bytes, c->tail + at, CRON_TAIL - at);
	memcpy(bytes + CRON_TAIL - at, c->tail, at);
	cut = split_front(bytes, CRON_TAIL);
	*len = CRON_TAIL - cut;
	memmove(bytes, bytes + cut, *len);
	return bytes;
}
