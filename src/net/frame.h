/*
 * frame - one outgoing text message, built once, shared by its receivers
 *
 * Holds the unmasked RFC 6455 header (section 5.2) and the payload in one
 * run of bytes, so that a WebSocket server writes it as it is; other doors
 * take the payload only.
 */
#ifndef EWS_NET_FRAME_H
#define EWS_NET_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct frame {
	unsigned refs;
	uint32_t len; /* header and payload */
	uint32_t header; /* bytes of header: 2, 4 or 10 */
	char bytes[];
};

/* One reference, the caller's. The payload must be UTF-8. */
struct frame *frame_text(const char *payload, size_t len);
struct frame *frame_text_z(const char *payload);
/* A WebSocket ping with one byte of payload (libwebsockets 4.1.6 hides the
 * pong to an empty one); one shared instance, referenced. */
struct frame *frame_ping(void);
struct frame *frame_ref(struct frame *);
void frame_unref(struct frame *); /* NULL is fine */

const char *frame_payload(const struct frame *, size_t *len);

#endif
