#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "net/ws_priv.h"

enum { HTTP_CHUNK = 16384, TLS_ALERT = 21 };

static void
enter(struct sock *s, enum sock_state state, int64_t ms)
{
	s->link.host->n_pending -= s->state == SOCK_HEAD;
	s->state = state;
	s->link.host->n_pending += s->state == SOCK_HEAD;
	s->deadline = ms < 0 ? INT64_MAX : ws_loop_now(s->link.host) + ms;
}

static void
forget_who(struct sock *s)
{
	struct ws_host *host = s->link.host;

	if (s->who != NULL && host->config.events->who_gone != NULL)
		host->config.events->who_gone(host->config.arg, s->who);
	s->who = NULL;
}

/* The library has let go of it. */
static void
sock_free(struct sock *s)
{
	struct ws_host *host = s->link.host;

	enter(s, SOCK_DONE, -1);
	if (host->adopting == s)
		host->adopting = NULL;
	if (s->queued)
		LL_DELETE2(host->sock_replies, s, reply_next);
	DL_DELETE(host->socks, s);
	host->n_socks--;
	if (s->req != NULL)
		http_gone(s->req);
	forget_who(s);
	gate_head_free(s->head);
	free(s->out);
	free(s);
}

void
sock_adopt(struct ws_host *host, struct lws_vhost *vhost, int fd,
    const struct ws_peer *peer, struct head *head, const struct ws_verdict *v)
{
	struct sock *s = mem_alloc(sizeof *s);
	lws_adopt_desc_t how = { .vh = vhost,
		.opaque = s,
		.type =
		    LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | LWS_ADOPT_ALLOW_SSL };
	struct lws *wsi;

	s->link = (struct ws_link){ KIND_SOCK, host, NULL };
	s->peer = *peer;
	host->n_socks++;
	host->n_pending++;
	DL_APPEND(host->socks, s);
	enter(s, head != NULL ? SOCK_UPGRADE : SOCK_HEAD, host->config.head_ms);
	if (head != NULL) {
		s->gated = true;
		s->head = head;
		s->who = v->who;
		s->subprotocol = v->subprotocol;
	}
	if (!timer_active(host->sweep))
		timer_set(host->sweep, WS_SWEEP_MS);
	how.fd.sockfd = fd;
	host->adopting = s;
	wsi = lws_adopt_descriptor_vhost_via_info(&how);
	if (wsi != NULL)
		s->link.wsi = wsi;
	else if (host->adopting == s)
		/* it never knew of it, or will say in this turn of the loop
		 * that it has closed it (TLS): the sweep frees it */
		enter(s, SOCK_DONE, WS_LINGER_MS);
	host->adopting = NULL;
}

/* The answer leaves at the end of the turn, outside of the library's
 * callbacks: only there the socket may be closed at once. */
static void
reply(void *arg, char *bytes, size_t len)
{
	struct sock *s = arg;
	struct ws_host *host = s->link.host;

	s->req = NULL;
	s->out = bytes;
	s->out_len = len;
	enter(s, SOCK_WRITE, host->config.body_ms);
	if (!s->queued)
		LL_PREPEND2(host->sock_replies, s, reply_next);
	s->queued = true;
	loop_again(host->config.loop);
}

/* Refuses before the library has left its callback: one write, and what
 * the callback returns hangs up. */
static int
refuse_now(struct sock *s, char *bytes, size_t len)
{
	enter(s, SOCK_DONE, WS_LINGER_MS);
	if (bytes != NULL)
		lws_write(
		    s->link.wsi, (unsigned char *)bytes, len, LWS_WRITE_HTTP);
	free(bytes);
	return -1;
}

/* TLS only: what the gate does on plain sockets. NULL: '*refusal' is the
 * answer. */
static struct head *
judge(struct sock *s, struct ws_verdict *v, char **refusal, size_t *len)
{
	struct ws_host *host = s->link.host;
	struct gate_refusal no;
	struct head *head = tls_head(s->link.wsi, &no);

	if (head == NULL || !gate_judge(head, INT64_MAX, &no)) {
		ws_refused(host, &s->peer, no.status, no.why);
		*refusal = http_refusal(no.status, no.why, no.header, len);
	} else if (!ws_admit(host, head, &s->peer, v)) {
		*refusal = http_refusal_verdict(v, len);
	} else {
		s->who = v->who;
		s->subprotocol = v->subprotocol;
		return head;
	}
	gate_head_free(head);
	return NULL;
}

/* 'in' is the Upgrade header, in the library's own memory. */
static int
confirm_upgrade(struct sock *s, char *in)
{
	struct ws_verdict v;
	char *refusal;
	size_t len;

	/* CVE-2025-11677: the header table may be gone already */
	if (lws_hdr_total_length(s->link.wsi, WSI_TOKEN_UPGRADE) <= 0)
		return -1;
	if (s->gated)
		return s->state == SOCK_UPGRADE ? 0 : -1;
	if (s->state != SOCK_HEAD)
		return -1;
	s->head = judge(s, &v, &refusal, &len);
	if (s->head == NULL)
		return refuse_now(s, refusal, len);
	if (s->head->upgrade)
		enter(s, SOCK_UPGRADE, s->link.host->config.head_ms);
	else
		in[0] = '-'; /* an h2c offer: now it is plain HTTP to it */
	return 0;
}

static void
deliver(struct sock *s)
{
	struct http_request *req = s->req;

	/* parked: nothing more is read, no time-out of the library counts */
	lws_rx_flow_control(s->link.wsi, 0);
	lws_set_timeout(s->link.wsi, NO_PENDING_TIMEOUT, 0);
	enter(s, SOCK_PARKED, -1);
	http_deliver(req);
}

static void
go_on(struct sock *s)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const char *expect = gate_header(s->head, "Expect");
	unsigned char copy[LWS_PRE + sizeof line];

	if (expect == NULL || !str_ieq(expect, "100-continue"))
		return;
	memcpy(copy + LWS_PRE, line, sizeof line - 1);
	lws_write(s->link.wsi, copy + LWS_PRE, sizeof line - 1, LWS_WRITE_HTTP);
}

static int
start_http(struct sock *s)
{
	struct ws_host *host = s->link.host;
	struct ws_verdict v;
	char *refusal;
	size_t len;

	if (s->gated || s->state != SOCK_HEAD)
		return -1; /* a second request */
	lws_set_timeout(s->link.wsi, NO_PENDING_TIMEOUT, 0);
	if (s->head == NULL)
		s->head = judge(s, &v, &refusal, &len);
	if (s->head == NULL) {
		s->linger = true;
		lws_rx_flow_control(s->link.wsi, 0);
		reply(s, refusal, len);
		return 0;
	}
	s->req = http_request_new(
	    &host->config, s->head, &s->peer, s->who, reply, s);
	if (s->req == NULL)
		return -1;
	s->who = NULL;
	if (s->head->content_length > 0) {
		enter(s, SOCK_BODY, host->config.body_ms);
		go_on(s);
		s->head = NULL; /* the request's */
		return 0;
	}
	s->head = NULL;
	deliver(s);
	return 0;
}

static int
on_body(struct sock *s, const char *in, size_t len)
{
	if (s->state == SOCK_BODY && s->req != NULL)
		buf_add(&s->req->body, in, len);
	return 0;
}

static int
on_body_end(struct sock *s)
{
	if (s->state == SOCK_PARKED || s->state == SOCK_WRITE)
		return 0; /* an empty body, or bytes behind it */
	if (s->state != SOCK_BODY || s->req->body.failed ||
	    s->req->body.len < s->req->body.max)
		return -1;
	deliver(s);
	return 0;
}

/* Cuts the library's choice of a subprotocol from the end of the answer
 * and writes ours: it takes the client's first, the path decides. */
static int
add_headers(struct sock *s, struct lws_process_html_args *a)
{
	static const char name[] = "\r\nSec-WebSocket-Protocol: ";
	size_t len = sizeof name - 1;
	char *line = NULL;

	s->link.host->serv_buf =
	    (unsigned char *)a->p + a->max_len - WS_SERV_BUF;
	for (int back = (int)len; back < 160 && line == NULL; back++) {
		if (memcmp(a->p - back, name, len) == 0)
			line = a->p - back;
	}
	if (line != NULL) {
		a->max_len += (int)(a->p - line);
		a->p = line;
		if (s->subprotocol != NULL)
			a->p += lws_snprintf(a->p, (size_t)a->max_len, "%s%s",
			    name, s->subprotocol);
		a->p += lws_snprintf(a->p, 3, "\r\n");
	}
	return 0;
}

static int
establish(struct sock *s)
{
	struct ws_host *host = s->link.host;
	const struct ws_events *events = host->config.events;
	struct lws *wsi = s->link.wsi;
	struct ws *ws = ws_new(host, wsi, s->subprotocol);
	void *who = s->who;

	s->who = NULL;
	host->n_servers++;
	ws->message = events->message;
	lws_set_opaque_user_data(wsi, ws);
	lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
	ws->user = events->open(host->config.arg, ws, s->head, &s->peer, who);
	if (ws->user != NULL)
		ws->closed = events->closed;
	else
		ws_close(ws, 1008, "refused");
	sock_free(s);
	return 0;
}

int
sock_event(
    struct sock *s, enum lws_callback_reasons reason, void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return confirm_upgrade(s, in);
	case LWS_CALLBACK_ADD_HEADERS:
		return s->state == SOCK_UPGRADE ? add_headers(s, in) : 0;
	case LWS_CALLBACK_ESTABLISHED:
		return establish(s);
	case LWS_CALLBACK_HTTP:
		return start_http(s);
	case LWS_CALLBACK_HTTP_BODY:
		return on_body(s, in, len);
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return on_body_end(s);
	case LWS_CALLBACK_RAW_ADOPT:
	case LWS_CALLBACK_RAW_RX:
		return -1; /* what CONNECT would make of it */
	case LWS_CALLBACK_WSI_DESTROY:
		sock_free(s);
		return 0;
	default:
		return 0;
	}
}

/* Answered, or hopeless. */
static void
finish(struct sock *s)
{
	int fd = lws_get_socket_fd(s->link.wsi), unread = 0;
	struct ws_host *host = s->link.host;
	struct ws_peer peer = s->peer;
	int copy = -1;

	if (s->linger || (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0))
		copy = dup(fd);
	lws_set_timeout(
	    s->link.wsi, PENDING_TIMEOUT_HTTP_CONTENT, LWS_TO_KILL_SYNC);
	if (copy != -1)
		guest_linger(host, copy, &peer);
	ws_nudge(host);
}

/* Its POLLOUT would not reach us while it may not read (flow control), so
 * it is written to only as long as there is room, and looked at again. */
static void
write_some(struct sock *s)
{
	struct lws *wsi = s->link.wsi;

	while (s->out_at < s->out_len && !lws_partial_buffered(wsi) &&
	       !lws_send_pipe_choked(wsi)) {
		size_t n = s->out_len - s->out_at;

		if (n > HTTP_CHUNK)
			n = HTTP_CHUNK;
		if (lws_write(wsi, (unsigned char *)s->out + s->out_at, n,
			LWS_WRITE_HTTP) < 0) {
			finish(s);
			return;
		}
		s->out_at += n;
		s->deadline =
		    ws_loop_now(s->link.host) + s->link.host->config.body_ms;
	}
	if (lws_partial_buffered(wsi))
		lws_rx_flow_control(wsi, 1); /* rare: let it drain itself */
	else if (s->out_at == s->out_len) {
		finish(s);
		return;
	}
	s->link.host->choked = true;
	timer_set(s->link.host->sweep, WS_SWEEP_SOON_MS);
}

void
socks_turn(struct ws_host *host)
{
	struct sock *s;

	while ((s = host->sock_replies) != NULL) {
		host->sock_replies = s->reply_next;
		s->queued = false;
		write_some(s);
	}
}

/* Flow control hides the end of the stream from the library. */
static bool
hung_up(const struct sock *s)
{
	unsigned char first;
	ssize_t n = recv(
	    lws_get_socket_fd(s->link.wsi), &first, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n == 1 && first == TLS_ALERT) ||
	       (n == -1 && errno != EAGAIN && errno != EINTR);
}

static void
too_late(struct sock *s)
{
	struct http_request *req = s->req;
	size_t len;
	char *bytes;

	if (s->state != SOCK_BODY) {
		s->linger = false;
		finish(s);
		return;
	}
	s->req = NULL;
	http_gone(req);
	bytes = http_refusal(408, "The body came too slowly.", NULL, &len);
	ws_refused(s->link.host, &s->peer, 408, "The body came too slowly.");
	lws_rx_flow_control(s->link.wsi, 0);
	s->linger = true;
	reply(s, bytes, len);
}

void
socks_sweep(struct ws_host *host, int64_t now)
{
	struct sock *s, *next;

	DL_FOREACH_SAFE (host->socks, s, next) {
		if (s->link.wsi == NULL) {
			if (s->state == SOCK_DONE && now >= s->deadline)
				sock_free(s);
		} else if (now >= s->deadline)
			too_late(s);
		else if (s->state == SOCK_WRITE && !s->queued)
			write_some(s);
		else if (s->state == SOCK_PARKED && hung_up(s))
			finish(s);
	}
}

void
socks_free(struct ws_host *host)
{
	while (host->socks != NULL)
		sock_free(host->socks);
}
