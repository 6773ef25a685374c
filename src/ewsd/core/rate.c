#include "ewsd/core/rate.h"

#include <string.h>

#include "lib/hash.h"
#include "lib/mem.h"

struct bucket {
	int64_t full_us; /* when it will be full again */
	UT_hash_handle hh;
	char name[];
};

struct rate {
	int64_t step_us, window_us;
	size_t names;
	struct bucket *buckets; /* asked for longest ago comes first */
};

struct rate *
rate_new(unsigned burst, int64_t window_ms, size_t names)
{
	struct rate *r = mem_alloc(sizeof *r);

	r->window_us = window_ms * 1000;
	r->step_us = burst > 0 ? r->window_us / burst : 0;
	r->names = names;
	return r;
}

static void
forget(struct rate *r, struct bucket *b)
{
	HASH_DEL(r->buckets, b);
	free(b);
}

void
rate_free(struct rate *r)
{
	if (r == NULL)
		return;
	while (r->buckets != NULL)
		forget(r, r->buckets);
	free(r);
}

/* Moves it to the young end of the table. */
static struct bucket *
bucket_of(struct rate *r, const char *name)
{
	size_t len = strlen(name);
	struct bucket *b;

	HASH_FIND(hh, r->buckets, name, len, b);
	if (b != NULL) {
		HASH_DEL(r->buckets, b);
	} else {
		if (HASH_COUNT(r->buckets) >= r->names)
			forget(r, r->buckets);
		b = mem_alloc(sizeof *b + len + 1);
		memcpy(b->name, name, len + 1);
	}
	HASH_ADD_KEYPTR(hh, r->buckets, b->name, len, b);
	return b;
}

int64_t
rate_take(struct rate *r, const char *name, int64_t mono_ms)
{
	int64_t now = mono_ms * 1000, over;
	struct bucket *b;

	if (r->step_us == 0)
		return 0;
	b = bucket_of(r, name);
	if (b->full_us < now)
		b->full_us = now;
	over = b->full_us + r->step_us - now - r->window_us;
	if (over > 0)
		return (over + 999) / 1000;
	b->full_us += r->step_us;
	return 0;
}
