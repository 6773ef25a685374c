/*
 * due - what is to happen at which time, the earliest first
 *
 * A heap: adding, moving and taking out cost the logarithm of what is in
 * it, asking whether something is due costs nothing (100,000 commands may
 * wait). Items are embedded in what waits. Times are Unix milliseconds by
 * the wall clock: a clock that jumps forward makes due what lies between,
 * one that jumps back makes it wait (ABUSE 98).
 */
#ifndef EWS_EWSD_DUE_H
#define EWS_EWSD_DUE_H

#include <stddef.h>
#include <stdint.h>

struct due_item {
	int64_t at_ms;
	uint64_t order; /* among equals the lowest first */
	size_t place; /* in the heap, from 1; 0: not in it */
};

struct due {
	struct due_item **heap;
	size_t n, cap;
};

void due_fini(struct due *); /* the items are the caller's */
/* Adds it, or moves it to another time. Set 'order' before. */
void due_put(struct due *, struct due_item *, int64_t at_ms);
void due_take(struct due *, struct due_item *); /* if it is in */
/* The earliest, if its time has come; it stays in. Or NULL. */
struct due_item *due_first(const struct due *, int64_t now_ms);

#endif
