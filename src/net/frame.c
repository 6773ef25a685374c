#include "net/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum { FIN_TEXT = 0x81, FIN_PING = 0x89 };

/* The payload is not empty: libwebsockets 4.1.6 hides an empty pong. */
static struct frame ping = {
	.refs = 1, .len = 3, .header = 2, .bytes = { (char)FIN_PING, 1, '.' }
};

static uint32_t
write_header(unsigned char h[10], uint64_t len)
{
	h[0] = FIN_TEXT;
	if (len < 126) {
		h[1] = (unsigned char)len;
		return 2;
	}
	if (len <= 0xffff) {
		h[1] = 126;
		h[2] = (unsigned char)(len >> 8);
		h[3] = (unsigned char)len;
		return 4;
	}
	h[1] = 127;
	for (int i = 0; i < 8; i++)
		h[2 + i] = (unsigned char)(len >> (56 - 8 * i));
	return 10;
}

struct frame *
frame_text(const char *payload, size_t len)
{
	unsigned char header[10];
	uint32_t n = write_header(header, len);
	struct frame *f;

	assert(len < UINT32_MAX - sizeof header);
	f = mem_realloc(NULL, sizeof *f + n + len);
	f->refs = 1;
	f->header = n;
	f->len = n + (uint32_t)len;
	memcpy(f->bytes, header, n);
	if (len > 0)
		memcpy(f->bytes + n, payload, len);
	return f;
}

struct frame *
frame_text_z(const char *payload)
{
	return frame_text(payload, strlen(payload));
}

struct frame *
frame_ping(void)
{
	return frame_ref(&ping);
}

struct frame *
frame_ref(struct frame *f)
{
	f->refs++;
	return f;
}

void
frame_unref(struct frame *f)
{
	if (f == NULL)
		return;
	assert(f->refs > 0);
	if (--f->refs == 0)
		free(f);
}

const char *
frame_payload(const struct frame *f, size_t *len)
{
	*len = f->len - f->header;
	return f->bytes + f->header;
}
