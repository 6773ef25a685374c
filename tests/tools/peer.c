/*
 * peer - the hub at the other end of a WebSocket, seen from a test
 */
#include "peer.h"

#include <err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"
#include "wsframe.h"

enum { BREACH = 1, MESSAGE_MAX = 64 << 20 };

bool
peer_send(struct peer *p, unsigned first, const void *payload, size_t len)
{
	struct bytes b = { 0 };
	uint8_t mask[4];
	bool done;

	RAND_bytes(mask, sizeof mask);
	wsframe_put(&b, (uint8_t)first, payload, len, p->bare ? NULL : mask);
	done = wire_write(&p->wire, b.at, b.len, wire_in_ms(p->limit_ms));
	bytes_fini(&b);
	return done;
}

bool
peer_close(struct peer *p, int code, const char *reason)
{
	char body[125];
	size_t n = strlen(reason);

	if (n > sizeof body - 2)
		errx(2, "a close reason has at most 123 octets");
	body[0] = (char)(code >> 8);
	body[1] = (char)code;
	memcpy(body + 2, reason, n);
	p->said_close = true;
	return peer_send(p, WS_FIN | WS_CLOSE, body, code == 0 ? 0 : n + 2);
}

static void
take_close(struct peer *p, const char *body, size_t n)
{
	if (n == 1)
		errx(BREACH, "the peer sent a close frame of one octet");
	if (n > 2 && !utf8_ok(body + 2, n - 2))
		errx(BREACH, "the peer sent a close reason not in UTF-8");
	p->closed = true;
	p->code = n == 0 ? 1005
			 : (unsigned char)body[0] << 8 | (unsigned char)body[1];
	if (n > 2)
		memcpy(p->reason, body + 2, n - 2);
	p->reason[n > 2 ? n - 2 : 0] = '\0';
	if (!p->said_close && !p->mute)
		peer_close(p, n == 0 ? 0 : p->code, "");
}

/* True when a control frame is worth telling; then '*ev' is set. */
static bool
take_control(struct peer *p, unsigned op, const char *body, size_t n,
    enum peer_event *ev)
{
	if (op == WS_PING) {
		if (!p->mute)
			peer_send(p, WS_FIN | WS_PONG, body, n);
		return false;
	}
	if (op == WS_PONG) {
		memcpy(p->pong, body, n);
		p->pong[n] = '\0';
		*ev = PEER_PONG;
		return true;
	}
	take_close(p, body, n);
	*ev = PEER_CLOSED;
	return true;
}

static bool
take_data(struct peer *p, const struct wsframe *f, const char *body)
{
	unsigned op = f->first & 0xfu;

	if ((op == WS_MORE) != p->in_parts)
		errx(BREACH, "the peer sent fragments out of order");
	if (op == WS_BINARY)
		errx(BREACH, "the peer sent a binary message");
	if (!p->in_parts)
		bytes_eat(&p->msg, p->msg.len);
	bytes_put(&p->msg, body, (size_t)f->len);
	p->in_parts = (f->first & WS_FIN) == 0;
	if (p->in_parts)
		return false;
	*bytes_room(&p->msg, 1) = '\0';
	if (!utf8_ok(p->msg.at, p->msg.len))
		errx(BREACH, "the peer sent text that is not UTF-8");
	return true;
}

/* Checks the head of the next frame: true when all of it was read. */
static bool
whole_frame(struct peer *p, struct wsframe *f)
{
	const struct bytes *in = &p->wire.in;
	const char *flaw;

	if (!wsframe_parse(in->at, in->len, f))
		return false;
	flaw = wsframe_flaw(f);
	if (flaw == NULL && f->len > MESSAGE_MAX)
		flaw = "an absurd length";
	if (flaw != NULL)
		errx(BREACH, "the peer sent %s", flaw);
	return in->len - f->head >= f->len;
}

/* True when the frame completes something worth telling. */
static bool
take_frame(struct peer *p, const struct wsframe *f, enum peer_event *ev)
{
	struct bytes *in = &p->wire.in;
	struct bytes body = { 0 };
	bool tell;

	/* A copy: an answer to it may make the wire read more. */
	bytes_room(&body, 1);
	bytes_put(&body, in->at + f->head, (size_t)f->len);
	bytes_eat(in, f->head + (size_t)f->len);
	*ev = PEER_TEXT;
	tell = (f->first & 0x8) != 0
		   ? take_control(p, f->first & 0xfu, body.at, body.len, ev)
		   : take_data(p, f, body.at);
	bytes_fini(&body);
	return tell;
}

enum peer_event
peer_next(struct peer *p, int64_t deadline)
{
	enum peer_event ev;
	struct wsframe f;

	while (!p->closed) {
		if (whole_frame(p, &f)) {
			if (take_frame(p, &f, &ev))
				return ev;
			continue;
		}
		if (wire_fill(&p->wire, deadline))
			continue;
		if (p->wire.end == WIRE_OPEN)
			return PEER_LATE;
		p->code = 1006;
		p->closed = true;
	}
	return PEER_CLOSED;
}

void
peer_fini(struct peer *p)
{
	wire_fini(&p->wire);
	bytes_fini(&p->msg);
	free(p->last_command);
}
