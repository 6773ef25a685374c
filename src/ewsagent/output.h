/*
 * output - what handlers write, on its way to the hub
 *
 * Keeps both streams of a command in spools and sends them as chunks: live,
 * within a window beyond the last acknowledged byte of each stream, one
 * chunk of each command in turn. After a lost link it goes on from the last
 * acknowledged byte. Text is cut between characters (ews-protocol(7)).
 */
#ifndef EWS_EWSAGENT_OUTPUT_H
#define EWS_EWSAGENT_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsagent/spool.h"
#include "lib/err.h"

struct output;
struct outputs;

enum { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_STREAMS };

struct outputs_config {
	const char *dir;
	uint64_t keep; /* bytes of each stream */
	uint64_t max; /* bytes of all; the oldest ended goes first */
	size_t max_ended; /* ended and not all acknowledged */
	size_t chunk, window; /* bytes; see outputs_limits */
	/* An output frame's data, lent; false: no room now. Must not call
	 * back. */
	bool (*send)(void *arg, const json_t *data);
	/* Nothing is left to send of an ended output. Not called from inside
	 * output_end; may free it. */
	void (*done)(void *arg, void *owner);
	void *arg;
};

struct outputs *outputs_new(const struct outputs_config *, struct err *);
void outputs_free(struct outputs *); /* after its outputs */
uint64_t outputs_bytes(const struct outputs *);
size_t outputs_unsent(const struct outputs *); /* ended, not done */
/* Chunk 1 KiB .. 1 MiB, window at least one chunk; others are bent. */
void outputs_limits(struct outputs *, size_t chunk, size_t window);
void outputs_room(struct outputs *); /* send may work again */
void outputs_resend(struct outputs *); /* from the last acknowledged byte */

/* stream false: only counted, digested and remembered for the tail. */
struct output *
output_new(struct outputs *, const char *id, bool stream, void *owner);
void output_free(struct output *); /* NULL is fine */
void output_add(struct output *, int stream, const char *bytes, size_t len);
/* The handler has ended. */
void output_end(struct output *);
bool output_done(const struct output *); /* nothing is left to send */
/* 'stop': nobody wants the rest of either stream. */
void output_acked(struct output *, int stream, uint64_t offset, bool stop);
const struct spool *output_spool(const struct output *, int stream);
/* It was dropped for want of room before the hub had all of it. */
bool output_lost(const struct output *);
/* How much of a stream can be had: of a lost one what the hub has. */
uint64_t output_kept(const struct output *, int stream);

/* "stdout", "stderr"; -1 if it is neither. */
int output_stream(const char *word);

#endif
