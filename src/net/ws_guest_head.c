#include <errno.h>
#include <sys/socket.h>

#include "lib/port.h"
#include "lib/str.h"
#include "net/ws_guest.h"

static void
deliver(struct guest *g)
{
	guest_rest(g);
	guest_enter(g, GUEST_PARKED, -1);
	http_deliver(g->req);
	if (g->state != GUEST_PARKED)
		return;
	g->seen = 0;
	guest_watch(g, UV_READABLE | UV_DISCONNECT);
}

void
guest_read_body(struct guest *g)
{
	struct buf *body = &g->req->body;

	for (;;) {
		size_t left = body->max - body->len;
		ssize_t n;

		if (left == 0) {
			deliver(g);
			return;
		}
		n = recv(g->fd, guest_bytes,
		    left < sizeof guest_bytes ? left : sizeof guest_bytes, 0);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			guest_watch(g, UV_READABLE);
			return;
		}
		if (n > 0)
			buf_add(body, guest_bytes, (size_t)n);
		if (n <= 0 || body->failed) {
			guest_end(g);
			return;
		}
	}
}

/* RFC 9110 section 10.1.1: the client may wait for this. */
static bool
expectation(struct guest *g, const struct head *head)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const char *expect = gate_header(head, "Expect");

	if (expect == NULL || head->minor == 0)
		return true;
	if (!str_ieq(expect, "100-continue")) {
		guest_refuse(g, 417, "The Expect is not known here.", NULL);
		return false;
	}
	if (head->content_length > 0)
		(void)!send(g->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL);
	return true;
}

static void
serve(struct guest *g, struct head *head, size_t len, void *who)
{
	g->req = http_request_new(
	    &g->host->config, head, &g->peer, who, guest_reply, g);
	if (g->req == NULL ||
	    recv(g->fd, guest_bytes, len, 0) != (ssize_t)len) {
		if (g->req == NULL) {
			gate_head_free(head);
			if (g->host->config.events->who_gone != NULL)
				g->host->config.events->who_gone(
				    g->host->config.arg, who);
		}
		guest_end(g);
		return;
	}
	guest_enter(g, GUEST_BODY, g->host->config.body_ms);
	guest_read_body(g);
}

/* The library reads the head again, from a socket that looks new. */
static void
hand_over(struct guest *g, struct head *head, const struct ws_verdict *v)
{
	int fd = g->fd;

	guest_rest(g);
	g->fd = -1;
	sock_adopt(g->host, g->host->plain, fd, &g->peer, head, v);
	guest_end(g);
}

static void
judge(struct guest *g, size_t len)
{
	struct gate_refusal no;
	struct ws_verdict v;
	struct head *head = gate_parse(guest_bytes, len, &no);

	if (head == NULL || !gate_judge(head, INT64_MAX, &no)) {
		guest_refuse(g, no.status, no.why, no.header);
	} else if (!ws_admit(g->host, head, &g->peer, &v)) {
		guest_refuse_verdict(g, &v);
	} else if (head->upgrade) {
		hand_over(g, head, &v);
		return;
	} else if (!expectation(g, head)) {
		if (g->host->config.events->who_gone != NULL)
			g->host->config.events->who_gone(
			    g->host->config.arg, v.who);
	} else {
		serve(g, head, len, v.who);
		return;
	}
	gate_head_free(head);
}

void
guest_look(struct guest *g)
{
	ssize_t n = recv(g->fd, guest_bytes, GATE_HEAD_MAX, MSG_PEEK);
	long head;

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		guest_watch(g, UV_READABLE);
		return;
	}
	/* woken without a new byte: it has hung up behind half a head */
	if (n <= 0 || ((size_t)n == g->seen && !g->nap)) {
		guest_end(g);
		return;
	}
	head = gate_end(guest_bytes, (size_t)n, g->seen);
	g->seen = (size_t)n;
	if (head > 0) {
		port_lowat(g->fd, 1);
		g->nap = false;
		judge(g, (size_t)head);
	} else if (head < 0) {
		port_lowat(g->fd, 1);
		guest_refuse(g, (int)-head,
		    "The header is malformed or too large.", NULL);
	} else if (port_lowat(g->fd, (int)n + 1)) {
		guest_watch(g, UV_READABLE);
	} else {
		g->nap = true; /* or the half head would wake us at once */
		guest_rest(g);
	}
}
