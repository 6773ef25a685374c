/*
 * output - what handlers wrote, on its way to the hub
 *
 * The spools (run.h) have it; here is who of them is followed and how far.
 * A followed one is sent as chunks: live, within a window beyond the last
 * acknowledged byte of each stream, one chunk of each command in turn. On
 * a new link nobody is followed until the hub says from where. Text is cut
 * between characters (ews-protocol(7)).
 */
#ifndef EWS_EWSAGENT_OUTPUT_H
#define EWS_EWSAGENT_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output;
struct outputs;

enum { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_STREAMS };

struct outputs_config {
	uint64_t max; /* bytes of all; the oldest ended goes first */
	size_t max_ended; /* ended, and followed to a point before the end */
	size_t chunk, window; /* bytes; see outputs_limits */
	/* Up to 'size' bytes of a stream; 0: there are none. */
	size_t (*read)(void *arg, const char *id, int stream, uint64_t offset,
	    char *dst, size_t size);
	/* An output frame's data, lent; false: no room now. Must not call
	 * back. */
	bool (*send)(void *arg, const json_t *data);
	/* Nothing is left to send of an ended output. Not called from inside
	 * output_end; may free it. */
	void (*done)(void *arg, void *owner);
	/* The bytes of this ended one are wanted back: drop its spools. It
	 * is freed by the callee. */
	void (*drop)(void *arg, void *owner);
	void *arg;
};

struct outputs *outputs_new(const struct outputs_config *);
void outputs_free(struct outputs *); /* after its outputs */
uint64_t outputs_bytes(const struct outputs *);
size_t outputs_unsent(const struct outputs *); /* ended, followed, not done */
/* Chunk 1 KiB .. 1 MiB, window at least one chunk; others are bent. */
void outputs_limits(struct outputs *, size_t chunk, size_t window);
void outputs_room(struct outputs *); /* send may work again */
void outputs_detach(struct outputs *); /* a new link: follow nobody */

struct output *output_new(struct outputs *, const char *id, void *owner);
void output_free(struct output *); /* NULL is fine */
/* So many bytes are in the spool. False: too much of all is kept, and
 * nothing that ended can make room: this one should keep no more. */
bool output_kept_now(struct output *, int stream, uint64_t kept);
/* The handler has ended: no more comes. It may be dropped at once. */
void output_end(struct output *);
/* Send from these offsets on, whatever was sent before. */
void output_attach(struct output *, uint64_t out, uint64_t err);
bool output_attached(const struct output *);
bool output_done(const struct output *); /* nothing is left to send */
/* 'stop': nobody wants the rest of either stream. */
void output_acked(struct output *, int stream, uint64_t offset, bool stop);
/* How far the hub has it. */
uint64_t output_acked_to(const struct output *, int stream);

/* {"offset", "data" or "data64"}: the last 'size' bytes of a stream at most;
 * NULL if there are none. Gives. */
json_t *output_tail(const struct output *, int stream, size_t size);

/* "stdout", "stderr"; -1 if it is neither. */
int output_stream(const char *word);

#endif
