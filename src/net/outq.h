/*
 * outq - what waits to be written to one client, bounded
 *
 * Two lanes: control (pongs, acks, results) overtakes data. A 'tag' other
 * than 0 is reported once: written, or lost when the queue ends first, so
 * that its owner knows what never left.
 */
#ifndef EWS_NET_OUTQ_H
#define EWS_NET_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/frame.h"

enum outq_lane { OUTQ_CONTROL, OUTQ_DATA };

struct outq_config {
	uint32_t max_frames; /* of the data lane */
	size_t max_bytes; /* of both lanes; control may use a quarter more */
	size_t low_bytes; /* 'drained' is told when below this again */
	void (*written)(void *arg, uint64_t tag);
	void (*lost)(void *arg, uint64_t tag); /* from outq_fini */
	void (*drained)(void *arg); /* may be NULL */
};

struct outq_item {
	struct frame *frame;
	uint64_t tag;
};

struct outq_ring {
	struct outq_item *items;
	uint32_t head, count, cap;
};

struct outq {
	const struct outq_config *config;
	void *arg;
	struct outq_ring lanes[2];
	size_t bytes;
	bool above; /* has been at or above low_bytes */
};

/* 'config' is lent for the life of the queue. No memory until first used. */
void outq_init(struct outq *, const struct outq_config *, void *arg);
/* Unrefs what is left and tells the tags lost, oldest first. */
void outq_fini(struct outq *);

/* Takes a reference of its own. False if a bound is passed: the queue is
 * unchanged. */
bool outq_put(struct outq *, struct frame *, enum outq_lane, uint64_t tag);

/* The writer's side: the next frame or NULL; lent until outq_pop, which
 * unrefs it and reports its tag as written. */
const struct frame *outq_head(const struct outq *);
void outq_pop(struct outq *);
bool outq_empty(const struct outq *);
size_t outq_bytes(const struct outq *);

/* Copies whole frames (payload only, each followed by 'end', if end >= 0)
 * into dst while they fit and pops them; returns the bytes. A first frame
 * larger than 'size' is not copied: 0, and the caller writes it alone. */
size_t outq_gather(struct outq *, char *dst, size_t size, int end);

#endif
