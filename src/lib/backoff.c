#include "lib/backoff.h"

#include "lib/port.h"

void
backoff_init(struct backoff *b, int64_t first_ms, int64_t max_ms)
{
	b->first_ms = first_ms;
	b->max_ms = max_ms;
	b->attempts = 0;
}

/* Random, so that agents that lost one hub together do not come back
 * together. */
static int64_t
up_to_a_quarter(int64_t ms)
{
	uint64_t r;

	port_random(&r, sizeof r);
	return (int64_t)(r % (uint64_t)(ms / 4 + 1));
}

int64_t
backoff_next(struct backoff *b)
{
	int64_t ms = b->first_ms;
	unsigned i;

	for (i = 0; i < b->attempts && ms < b->max_ms; i++)
		ms *= 2;
	if (ms > b->max_ms)
		ms = b->max_ms;
	b->attempts++;
	return ms + up_to_a_quarter(ms);
}

void
backoff_reset(struct backoff *b)
{
	b->attempts = 0;
}
