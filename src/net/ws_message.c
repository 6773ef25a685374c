/* ws_message - what comes in on a WebSocket: whole messages, bounded */
#include <string.h>

#include "lib/str.h"
#include "net/ws_priv.h"

/* The header that an unmasked frame with this payload would have. */
static size_t
plain_header(unsigned char h[10], size_t total)
{
	if (total < 126) {
		h[1] = (unsigned char)total;
		return 2;
	}
	if (total <= 0xffff) {
		h[1] = 126;
		h[2] = (unsigned char)(total >> 8);
		h[3] = (unsigned char)total;
		return 4;
	}
	h[1] = 127;
	for (int i = 0; i < 8; i++)
		h[2 + i] = (unsigned char)((uint64_t)total >> (56 - 8 * i));
	return 10;
}

static bool
is_header(const unsigned char *at, const unsigned char *h, size_t len)
{
	return (at[0] & 0x70) == 0 && (at[0] & 0x0f) <= 2 &&
	       memcmp(at + 1, h + 1, len - 1) == 0;
}

/*
 * Before 5.0 the library takes unmasked frames from clients and hides the
 * bit (ABUSE 18). The payload that it hands us still lies behind its
 * header in its read buffer, so we look there. Not seen: a header that
 * came in another read than its payload, and empty frames.
 */
static bool
is_unmasked(const struct ws *ws, const char *in, size_t total)
{
	const unsigned char *start = ws->link.host->serv_buf;
	const unsigned char *at = (const unsigned char *)in;
	unsigned char h[10];
	size_t len = plain_header(h, total), before;

	if (start == NULL || at < start + len || at >= start + WS_SERV_BUF)
		return false;
	before = (size_t)(at - start);
	if (!is_header(at - len, h, len))
		return false;
	if (before < len + 4)
		return before == len;
	h[1] |= 0x80; /* those bytes may be the end of a mask */
	return !is_header(at - len - 4, h, len);
}

/* False: closed for it. */
static bool
begin_frame(struct ws *ws, const char *in, size_t len, size_t rest)
{
	size_t max = ws->link.host->config.max_message;

	ws->counts.frames_in++;
	if (!ws->client && len > 0 && is_unmasked(ws, in, len + rest)) {
		ws_close(ws, 1002, "client unmasked");
		return false;
	}
	/* built without extensions, the library lets the first bit pass */
	if (lws_get_reserved_bits(ws->link.wsi) != 0) {
		ws_close(ws, 1002, "rsv bits");
		return false;
	}
	if (ws->fragments++ == 0) {
		ws->binary = lws_frame_is_binary(ws->link.wsi) != 0;
		ws->in_since = ws->heard;
	}
	if (ws->fragments > ws->link.host->config.max_fragments) {
		ws_close(ws, 1008, "too many fragments");
		return false;
	}
	if (rest > max || len + rest > max - ws->in.len) {
		ws_close(ws, 1009, "message too large");
		return false;
	}
	return true;
}

static void
end_message(struct ws *ws, char *text, size_t len)
{
	static char empty[1];

	ws->fragments = 0;
	if (ws->binary && !str_utf8(text, len, true)) {
		ws_close(ws, 1003, "binary that is not UTF-8");
		return;
	}
	ws->message(ws->user, len > 0 ? text : empty, len);
}

void
ws_receive(struct ws *ws, char *in, size_t len)
{
	size_t rest = lws_remaining_packet_payload(ws->link.wsi);
	bool whole = rest == 0 && lws_is_final_fragment(ws->link.wsi);
	bool begins = !ws->in_frame;
	struct buf message;

	ws->heard = ws_now(ws->link.host);
	ws->counts.bytes_in += len;
	ws->in_frame = rest > 0;
	if (rest > 0 && rest < WS_RX_SIZE)
		ws->link.host->more_comes = true;
	if (ws->state != WS_OPEN || ws->user == NULL)
		return;
	if (begins && !begin_frame(ws, in, len, rest))
		return;
	if (whole && ws->in.len == 0) { /* the usual case: no copy */
		end_message(ws, in, len);
		return;
	}
	buf_add(&ws->in, in, len);
	if (ws->in.failed) {
		ws_close(ws, 1009, "message too large");
		return;
	}
	if (!whole)
		return;
	message = ws->in;
	buf_init(&ws->in, message.max);
	end_message(ws, message.bytes, message.len);
	buf_fini(&message);
}

/* Pings are answered by the library and never shown; pongs are. */
void
ws_pong(struct ws *ws)
{
	ws->heard = ws_now(ws->link.host);
	if (ws->heard - ws->pongs_since >= 1000) {
		ws->pongs_since = ws->heard;
		ws->pongs = 0;
	}
	if (++ws->pongs > ws->link.host->config.max_pings)
		ws_close(ws, 1008, "too many pings");
}

/* To a client, the library before 4.3 turns the codes 1012 to 1014 into
 * 1002 in its copy; the frame as it came is still in its read buffer. */
int
ws_close_code(const struct ws *ws, const unsigned char *in, size_t len)
{
	const unsigned char *at = ws->link.host->serv_buf;
	const unsigned char *end;
	int code = in[0] << 8 | in[1];

	if (!ws->client || at == NULL || code != 1002)
		return code;
	for (end = at + WS_SERV_BUF - len - 2; at < end; at++) {
		int sent = at[2] << 8 | at[3];

		if (at[0] == 0x88 && at[1] == len && sent >= 1012 &&
		    sent <= 1014 && memcmp(at + 4, in + 2, len - 2) == 0)
			return sent;
	}
	return code;
}
