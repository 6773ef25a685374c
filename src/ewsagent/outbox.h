/*
 * outbox - what the agent has to tell the hub while it waits for a way
 *
 * Frames of ews.v1 (as text) in the order they were put in. Bounded: when
 * it is full, the oldest progress ack makes room for an end; an end that
 * still finds no room is owed, and its owner tells it again later, so no
 * end is ever lost by a bound. A poll takes a batch along and settles it
 * when the answer is there; what was not taken keeps its place.
 */
#ifndef EWS_EWSAGENT_OUTBOX_H
#define EWS_EWSAGENT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of ends that wait; one always fits, whatever its size. */
enum { OUTBOX_ENDS_MAX = 4 << 20 };

enum outbox_kind {
	OUTBOX_STEP, /* an ack that is no end: told once */
	OUTBOX_STORED, /* the same; a hub that knows no steps wants it, too */
	OUTBOX_END, /* work tells it again until it is confirmed */
	OUTBOX_OUTPUT /* work sends it again on a new link */
};

struct outbox_item {
	struct outbox_item *prev, *next;
	enum outbox_kind kind;
	unsigned batch; /* 0: waits here */
	char *id; /* of the command */
	char *text;
	size_t len;
};

struct outbox;

struct outbox *outbox_new(size_t max_items, size_t max_output_bytes);
void outbox_free(struct outbox *);

/* Takes 'text' (heap) in any case. False: no room. A newer end of a command
 * replaces one that is not on its way. */
bool outbox_put(
    struct outbox *, enum outbox_kind, const char *id, char *text, size_t len);
/* Is there room for output of 'len' bytes? */
bool outbox_has_room(const struct outbox *, size_t len);

/* The oldest that waits and is in no batch, or NULL; lent. */
struct outbox_item *outbox_next(const struct outbox *);
void outbox_remove(struct outbox *, struct outbox_item *);

/* Lends what waits, oldest first, at most 'max_bytes' (but at least one) to
 * 'fn' as batch number 'batch' (not 0); returns how many. */
typedef void outbox_fn(void *arg, const struct outbox_item *);
size_t outbox_lend(
    struct outbox *, unsigned batch, size_t max_bytes, outbox_fn *, void *arg);
/* The batch has arrived, or waits again. */
void outbox_settle(struct outbox *, unsigned batch, bool arrived);

/* Drops everything, lent or not: a new link, and work tells all of it
 * again. */
void outbox_clear(struct outbox *);
/* Was an end refused since the last call? */
bool outbox_owes(struct outbox *);
size_t outbox_count(const struct outbox *); /* lent ones included */

#endif
