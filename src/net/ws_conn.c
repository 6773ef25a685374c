#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "net/ws_priv.h"

enum { ROUNDS = 8 }; /* writes to one connection in one go */

struct ws *
ws_new(struct ws_host *host, struct lws *wsi, const char *subprotocol)
{
	struct ws *ws = mem_alloc(sizeof *ws);

	ws->link = (struct ws_link){ KIND_WS, host, wsi };
	ws->subprotocol = mem_dup(subprotocol);
	ws->heard = ws->opened = ws->pinged = ws->moved = ws_now(host);
	buf_init(&ws->in, host->config.max_message);
	ws->bucket = host->serial++ % WS_BUCKETS;
	DL_APPEND(host->buckets[ws->bucket], ws);
	ws_wheel_start(host);
	return ws;
}

/* Told once, and only to who was told that it is open. */
static void
tell_closed(struct ws *ws)
{
	void (*closed)(void *, int, const char *) = ws->closed;

	ws->closed = NULL;
	if (closed != NULL)
		closed(ws->user, ws->code != 0 ? ws->code : 1006,
		    ws->reason != NULL ? ws->reason : "");
}

/* The library has let go of it. */
static void
ws_free(struct ws *ws)
{
	struct ws_host *host = ws->link.host;

	tell_closed(ws);
	DL_DELETE(host->buckets[ws->bucket], ws);
	if (ws->dirty)
		DL_DELETE2(host->dirty, ws, dirty_prev, dirty_next);
	if (ws->ready)
		DL_DELETE2(host->ready, ws, ready_prev, ready_next);
	if (!ws->client)
		host->n_servers--;
	buf_fini(&ws->in);
	free(ws->subprotocol);
	free(ws->reason);
	free(ws);
}

static void
set_ready(struct ws *ws)
{
	if (ws->ready)
		return;
	ws->ready = true;
	DL_APPEND2(ws->link.host->ready, ws, ready_prev, ready_next);
	loop_again(ws->link.host->config.loop);
}

static void
set_broken(struct ws *ws)
{
	ws->state = WS_BROKEN;
	set_ready(ws);
}

static void
note_close(struct ws *ws, int code, const char *reason, size_t len)
{
	if (ws->code != 0)
		return;
	ws->code = code;
	ws->reason = mem_dupn(reason,
	    str_utf8_cut(reason, len < WS_REASON_MAX ? len : WS_REASON_MAX));
}

bool
ws_has_output(const struct ws *ws)
{
	return (ws->out != NULL && !outq_empty(ws->out)) ||
	       lws_partial_buffered(ws->link.wsi);
}

static uint32_t
queued(const struct outq *q)
{
	return q->lanes[OUTQ_CONTROL].count + q->lanes[OUTQ_DATA].count;
}

/* One write of whole frames as they are (LWS_WRITE_RAW: no copy of a
 * single one, no framing, safe outside of its callbacks; never while the
 * library still holds a rest). */
static bool
write_server(struct ws *ws)
{
	unsigned char *bytes = ws->link.host->scratch + LWS_PRE;
	uint32_t before = queued(ws->out);
	size_t len = outq_gather(ws->out, (char *)bytes, WS_SCRATCH, -1);
	int rc;

	if (len > 0) {
		rc = lws_write(ws->link.wsi, bytes, len, LWS_WRITE_RAW);
		ws->counts.frames_out += before - queued(ws->out);
	} else {
		const struct frame *f = outq_head(ws->out);

		len = f->len;
		rc = lws_write(ws->link.wsi, (unsigned char *)f->bytes, len,
		    LWS_WRITE_RAW);
		outq_pop(ws->out);
		ws->counts.frames_out++;
	}
	ws->counts.bytes_out += len;
	ws->moved = ws->link.host->wheel_now;
	return rc >= 0;
}

/* A client must mask, which the library does in place: in a copy. */
static bool
write_client(struct ws *ws)
{
	unsigned char *bytes = ws->link.host->scratch;
	size_t len;
	const char *text = frame_payload(outq_head(ws->out), &len);
	bool large = len > WS_SCRATCH;
	int rc;

	if (large)
		bytes = mem_realloc(NULL, LWS_PRE + len);
	memcpy(bytes + LWS_PRE, text, len);
	outq_pop(ws->out);
	rc = lws_write(ws->link.wsi, bytes + LWS_PRE, len, LWS_WRITE_TEXT);
	if (large)
		free(bytes);
	ws->counts.frames_out++;
	ws->counts.bytes_out += len;
	ws->moved = ws->link.host->wheel_now;
	return rc >= 0;
}

static bool
ping_client(struct ws *ws)
{
	unsigned char bytes[LWS_PRE + 1];

	ws->ping_due = false;
	bytes[LWS_PRE] = '.';
	return lws_write(ws->link.wsi, bytes + LWS_PRE, 1, LWS_WRITE_PING) >= 0;
}

static void
flush(struct ws *ws, bool writable)
{
	struct lws *wsi = ws->link.wsi;

	if (ws->state != WS_OPEN && ws->state != WS_CLOSING)
		return;
	if (ws->client && !writable) {
		lws_callback_on_writable(wsi);
		return;
	}
	for (int i = 0; i < ROUNDS && ws->out != NULL && !outq_empty(ws->out) &&
			!lws_partial_buffered(wsi);
	     i++) {
		if (!(ws->client ? write_client(ws) : write_server(ws))) {
			set_broken(ws);
			return;
		}
	}
	if (ws->ping_due && !lws_partial_buffered(wsi) && !ping_client(ws))
		set_broken(ws);
	else if (ws_has_output(ws))
		lws_callback_on_writable(wsi);
	else if (ws->state == WS_CLOSING)
		set_ready(ws);
}

void
ws_ping(struct ws *ws)
{
	struct frame *f;

	if (ws->client) {
		ws->ping_due = true;
		lws_callback_on_writable(ws->link.wsi);
		return;
	}
	if (lws_partial_buffered(ws->link.wsi))
		return; /* stuck: silence will end it */
	f = frame_ping();
	if (lws_write(ws->link.wsi, (unsigned char *)f->bytes, f->len,
		LWS_WRITE_RAW) < 0)
		set_broken(ws);
	frame_unref(f);
}

/* RFC 6455 section 7.4; most of the others the library refuses itself. */
static bool
may_close_with(const unsigned char *in, size_t len)
{
	int code = len >= 2 ? in[0] << 8 | in[1] : 0;

	return len == 0 || (code >= 1000 && code <= 1014) ||
	       (code >= 3000 && code < 5000);
}

static int
peer_closes(struct ws *ws, const unsigned char *in, size_t len)
{
	if (!may_close_with(in, len)) { /* the library would echo it */
		lws_close_reason(
		    ws->link.wsi, LWS_CLOSE_STATUS_PROTOCOL_ERR, NULL, 0);
		note_close(ws, 1002, "", 0);
		return -1;
	}
	if (len >= 2)
		note_close(ws, ws_close_code(ws, in, len), (const char *)in + 2,
		    len - 2);
	else
		note_close(ws, 1005, "", 0);
	ws->state = WS_PEER_CLOSED;
	ws->deadline = ws_now(ws->link.host) + WS_ACK_MS;
	return 0;
}

/* Where nobody said why, the library may have: its own 1002 or 1007. */
static void
on_closed(struct ws *ws)
{
	const unsigned char *own;
	int len = lws_get_close_length(ws->link.wsi);

	if (ws->code == 0 && len >= 2) {
		own = lws_get_close_payload(ws->link.wsi);
		note_close(ws, own[0] << 8 | own[1], (const char *)own + 2,
		    (size_t)len - 2);
	}
	tell_closed(ws);
}

int
ws_event(struct ws *ws, enum lws_callback_reasons reason, void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_RECEIVE:
	case LWS_CALLBACK_CLIENT_RECEIVE:
		ws_receive(ws, in, len);
		return 0;
	case LWS_CALLBACK_RECEIVE_PONG:
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		ws_pong(ws);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		flush(ws, true);
		return 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return peer_closes(ws, in, len);
	case LWS_CALLBACK_CLOSED:
	case LWS_CALLBACK_CLIENT_CLOSED:
		on_closed(ws);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		ws_free(ws);
		return 0;
	default:
		return 0;
	}
}

void
ws_kill(struct ws *ws)
{
	struct ws_host *host = ws->link.host;

	lws_set_timeout(
	    ws->link.wsi, PENDING_TIMEOUT_CLOSE_ACK, LWS_TO_KILL_SYNC);
	ws_nudge(host);
}

/* 1005 closes without a code (PROTOCOL 1.4). A client's frame is masked,
 * here with a key of which nothing is seen: there is nothing to mask. */
static void
send_close(struct ws *ws)
{
	static unsigned char bare[] = { 0x88, 0x00 },
			     masked[] = { 0x88, 0x80, 0, 0, 0, 0 };

	if (ws->code != 1005)
		lws_close_reason(ws->link.wsi, ws->code,
		    (unsigned char *)ws->reason, strlen(ws->reason));
	else if (lws_partial_buffered(ws->link.wsi))
		return;
	else if (ws->client)
		lws_write(ws->link.wsi, masked, sizeof masked, LWS_WRITE_RAW);
	else
		lws_write(ws->link.wsi, bare, sizeof bare, LWS_WRITE_RAW);
}

void
ws_finish(struct ws *ws)
{
	int64_t now = ws_now(ws->link.host);

	if (ws->state == WS_CLOSING) {
		bool stuck = ws_has_output(ws);

		if (stuck && now < ws->deadline)
			return; /* WRITEABLE or the wheel comes back */
		/* behind a rest that nobody reads no close frame leaves, and
		 * the library would try for another five seconds */
		if (stuck)
			shutdown(lws_get_socket_fd(ws->link.wsi), SHUT_RDWR);
		else
			send_close(ws);
		ws->state = WS_CLOSE_SENT;
		ws->deadline = now + WS_ACK_MS;
		ws_kill(ws); /* closes politely when it has a reason */
	} else if (ws->state != WS_OPEN) {
		ws_kill(ws);
	}
}

/* The library reads little at a time. When a read ended inside a small
 * frame, more of a burst lies in the socket: without sleeping, one more
 * turn makes one write of what would be several. */
static bool
hold(struct ws_host *host)
{
	bool wait =
	    host->more_comes && host->dirty != NULL && host->held < WS_HOLD;

	host->more_comes = false;
	host->held = wait ? host->held + 1 : 0;
	if (wait)
		loop_again(host->config.loop);
	return wait;
}

void
ws_turn(struct ws_host *host)
{
	struct ws *ws;

	if (hold(host))
		return;
	for (int i = 0; i < WS_SLICE && host->dirty != NULL; i++) {
		ws = host->dirty;
		DL_DELETE2(host->dirty, ws, dirty_prev, dirty_next);
		ws->dirty = false;
		flush(ws, false);
	}
	if (host->dirty != NULL)
		loop_again(host->config.loop);
	while ((ws = host->ready) != NULL) {
		DL_DELETE2(host->ready, ws, ready_prev, ready_next);
		ws->ready = false;
		ws_finish(ws);
	}
}

void
ws_set_outq(struct ws *ws, struct outq *out)
{
	ws->out = out;
}

void
ws_want_write(struct ws *ws)
{
	if (ws->dirty || (ws->state != WS_OPEN && ws->state != WS_CLOSING))
		return;
	ws->dirty = true;
	DL_APPEND2(ws->link.host->dirty, ws, dirty_prev, dirty_next);
	loop_again(ws->link.host->config.loop);
}

void
ws_close(struct ws *ws, int code, const char *reason)
{
	if (ws->state != WS_OPEN)
		return;
	note_close(ws, code, reason != NULL ? reason : "",
	    reason != NULL ? strlen(reason) : 0);
	ws->state = WS_CLOSING;
	ws->deadline = ws_now(ws->link.host) + WS_FLUSH_MS;
	if (ws_has_output(ws))
		ws_want_write(ws);
	set_ready(ws);
}

const char *
ws_subprotocol(const struct ws *ws)
{
	return ws->subprotocol != NULL ? ws->subprotocol : "";
}

int64_t
ws_heard_ms(const struct ws *ws)
{
	return ws->heard;
}

int64_t
ws_opened_ms(const struct ws *ws)
{
	return ws->opened;
}

void
ws_counts(const struct ws *ws, struct ws_counts *out)
{
	*out = ws->counts;
}
