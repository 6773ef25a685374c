/*
 * wsframe - the frames of RFC 6455, as bytes
 *
 * It builds what it is told to, also what no honest peer would send.
 */
#ifndef TOOLS_WSFRAME_H
#define TOOLS_WSFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

enum {
	WS_MORE = 0x0,
	WS_TEXT = 0x1,
	WS_BINARY = 0x2,
	WS_CLOSE = 0x8,
	WS_PING = 0x9,
	WS_PONG = 0xa,
	WS_FIN = 0x80,
};

enum { WSFRAME_HEAD_MAX = 14 };

struct wsframe {
	uint8_t first; /* FIN, the reserved bits and the opcode */
	bool masked;
	uint8_t mask[4];
	size_t head; /* octets before the payload */
	uint64_t len; /* of the payload, as announced */
};

/* False while the head is incomplete. */
bool wsframe_parse(const char *, size_t, struct wsframe *);

/* What makes this frame wrong when a server sent it, or NULL. */
const char *wsframe_flaw(const struct wsframe *);

/* Returns the length of the head; a 'mask' of NULL leaves it unmasked. */
size_t wsframe_head(char out[WSFRAME_HEAD_MAX], uint8_t first, uint64_t len,
    const uint8_t *mask);

/* Appends a whole frame. */
void wsframe_put(
    struct bytes *, uint8_t first, const void *, size_t, const uint8_t *mask);

void wsframe_mask(char *, size_t, const uint8_t mask[4]);

#endif
