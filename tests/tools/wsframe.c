/*
 * wsframe - the frames of RFC 6455, as bytes
 */
#include "wsframe.h"

#include <string.h>

static uint64_t
big_endian(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

bool
wsframe_parse(const char *bytes, size_t n, struct wsframe *f)
{
	const uint8_t *p = (const uint8_t *)bytes;
	size_t more;

	if (n < 2)
		return false;
	f->first = p[0];
	f->masked = (p[1] & 0x80) != 0;
	f->len = p[1] & 0x7f;
	more = f->len == 127 ? 8 : f->len == 126 ? 2 : 0;
	f->head = 2 + more + (f->masked ? 4 : 0);
	if (n < f->head)
		return false;
	if (more > 0)
		f->len = big_endian(p + 2, more);
	if (f->masked)
		memcpy(f->mask, p + 2 + more, 4);
	return true;
}

const char *
wsframe_flaw(const struct wsframe *f)
{
	unsigned op = f->first & 0xfu;
	size_t least = f->len < 126 ? 2 : f->len < 65536 ? 4 : 10;

	if (f->masked)
		return "a masked frame";
	if ((f->first & 0x70) != 0)
		return "a reserved bit";
	if ((op > WS_BINARY && op < WS_CLOSE) || op > WS_PONG)
		return "a reserved opcode";
	if (op >= WS_CLOSE && ((f->first & WS_FIN) == 0 || f->len > 125))
		return "a control frame that is long or in parts";
	if (f->head != least)
		return "a length written longer than needed";
	return NULL;
}

size_t
wsframe_head(char out[WSFRAME_HEAD_MAX], uint8_t first, uint64_t len,
    const uint8_t *mask)
{
	size_t more = len < 126 ? 0 : len < 65536 ? 2 : 8;
	size_t n = 2;
	uint8_t small = more == 0 ? (uint8_t)len : more == 2 ? 126 : 127;

	out[0] = (char)first;
	out[1] = (char)(small | (mask != NULL ? 0x80 : 0));
	while (more-- > 0)
		out[n++] = (char)(len >> (8 * more));
	if (mask != NULL) {
		memcpy(out + n, mask, 4);
		n += 4;
	}
	return n;
}

void
wsframe_mask(char *p, size_t n, const uint8_t mask[4])
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(p[i] ^ mask[i & 3]);
}

void
wsframe_put(struct bytes *b, uint8_t first, const void *payload, size_t n,
    const uint8_t *mask)
{
	char head[WSFRAME_HEAD_MAX];

	bytes_put(b, head, wsframe_head(head, first, n, mask));
	bytes_put(b, payload, n);
	if (mask != NULL)
		wsframe_mask(b->at + b->len - n, n, mask);
}
