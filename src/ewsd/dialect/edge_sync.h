/*
 * edge_sync - one POST /edge/sync that is not answered yet
 *
 * Private to edge_sync.c, which takes the request, and edge_answer.c,
 * which answers it.
 */
#ifndef EWS_EWSD_EDGE_SYNC_H
#define EWS_EWSD_EDGE_SYNC_H

#include "ewsd/dialect/edge_priv.h"

enum {
	SYNC_COMMANDS = 100, /* in one answer */
	SYNC_SAVE_MS = 30000 /* for the disk; then 503 */
};

struct sync {
	struct edge_link link;
	struct http_request *req; /* NULL: the peer has gone */
	int64_t until, late; /* monotonic */
	unsigned pending; /* acks not yet on disk */
	bool attached, hello, failed;
	bool full; /* no further command fits */
	struct buf commands, frames;
	uint64_t tags[SYNC_COMMANDS];
	unsigned n_tags;
	json_t *events; /* ids to acknowledge */
	json_t *config; /* or NULL */
	struct sync *prev, *next;
};

struct sync *
sync_new(struct edge *, struct agent *, bool ours, int64_t wait_ms);
/* Answers this request, later: 'sync' frees itself then. */
void sync_begin(struct sync *, struct http_request *);
void sync_free(struct sync *);
/* A command_saved_fn: one of 'pending' is on disk. */
void sync_saved(void *sync);

#endif
