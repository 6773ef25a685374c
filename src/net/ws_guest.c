#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/mem.h"
#include "lib/port.h"
#include "lib/str.h"
#include "net/ws_priv.h"

enum {
	LINGERING_MAX = 128, /* over it, an answer may be lost to a reset */
	DISCARD_MAX = 1 << 20 /* bytes behind a request that are read away */
};

static char bytes[WS_SCRATCH]; /* one guest at a time looks into it */

static void on_guest(uv_poll_t *, int status, int events);

static void
enter(struct guest *g, enum guest_state state, int64_t ms)
{
	struct ws_host *host = g->host;

	host->n_pending -= g->state == GUEST_HEAD;
	host->n_lingering -= g->state == GUEST_LINGER;
	g->state = state;
	host->n_pending += state == GUEST_HEAD;
	host->n_lingering += state == GUEST_LINGER;
	g->deadline = ms < 0 ? INT64_MAX : ws_loop_now(host) + ms;
}

static void
free_guest(uv_handle_t *handle)
{
	free(handle->data);
}

/* Ends it from anywhere; the memory stays until the end of the turn. */
static void
end(struct guest *g)
{
	struct ws_host *host = g->host;

	if (g->state == GUEST_ENDED)
		return;
	enter(g, GUEST_ENDED, -1);
	if (g->has_poll)
		uv_poll_stop(&g->poll);
	if (g->fd != -1)
		close(g->fd);
	if (g->req != NULL)
		http_gone(g->req);
	free(g->out);
	g->req = NULL;
	g->out = NULL;
	DL_DELETE(host->guests, g);
	DL_APPEND(host->graveyard, g);
	host->n_guests--;
	loop_again(host->config.loop);
}

static void
watch(struct guest *g, int events)
{
	if (!g->has_poll) {
		if (uv_poll_init(
			loop_uv(g->host->config.loop), &g->poll, g->fd) != 0) {
			end(g);
			return;
		}
		g->poll.data = g;
		g->has_poll = true;
	}
	uv_poll_start(&g->poll, events, on_guest);
}

static void
rest(struct guest *g)
{
	if (g->has_poll)
		uv_poll_stop(&g->poll);
}

/* Closing with unread bytes would reset the connection, and the peer
 * could lose the answer: read them away for a while. */
static void
linger(struct guest *g)
{
	if (g->host->n_lingering >= LINGERING_MAX ||
	    shutdown(g->fd, SHUT_WR) == -1) {
		end(g);
		return;
	}
	enter(g, GUEST_LINGER, WS_LINGER_MS);
	g->seen = 0;
	watch(g, UV_READABLE);
}

static bool
has_unread(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) > 0;
}

static void
write_some(struct guest *g)
{
	while (g->out_at < g->out_len) {
		ssize_t n = send(g->fd, g->out + g->out_at,
		    g->out_len - g->out_at, MSG_NOSIGNAL);

		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			watch(g, UV_WRITABLE);
			return;
		}
		if (n == -1) {
			end(g);
			return;
		}
		g->out_at += (size_t)n;
		g->deadline = ws_loop_now(g->host) + g->host->config.body_ms;
	}
	if (g->linger || has_unread(g->fd))
		linger(g);
	else
		end(g);
}

/* The answer leaves at the end of the turn; no answer hangs up then. */
static void
reply(void *arg, char *answer, size_t len)
{
	struct guest *g = arg;

	g->req = NULL;
	g->out = answer;
	g->out_len = len;
	rest(g);
	enter(g, GUEST_WRITE, g->host->config.body_ms);
	LL_PREPEND2(g->host->replies, g, reply_next);
	loop_again(g->host->config.loop);
}

static void
refuse(struct guest *g, int status, const char *why, const char *header)
{
	size_t len;
	char *answer = http_refusal(status, why, header, &len);

	ws_refused(g->host, &g->peer, status, why);
	g->linger = true;
	g->nap = false;
	reply(g, answer, len);
}

static void
refuse_verdict(struct guest *g, const struct ws_verdict *v)
{
	size_t len;
	char *answer = http_refusal_verdict(v, &len);

	g->linger = true;
	reply(g, answer, len);
}

static void
deliver(struct guest *g)
{
	rest(g);
	enter(g, GUEST_PARKED, -1);
	http_deliver(g->req);
	if (g->state != GUEST_PARKED)
		return;
	g->seen = 0;
	watch(g, UV_READABLE | UV_DISCONNECT);
}

static void
read_body(struct guest *g)
{
	struct buf *body = &g->req->body;

	for (;;) {
		size_t left = body->max - body->len;
		ssize_t n;

		if (left == 0) {
			deliver(g);
			return;
		}
		n = recv(
		    g->fd, bytes, left < sizeof bytes ? left : sizeof bytes, 0);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			watch(g, UV_READABLE);
			return;
		}
		if (n > 0)
			buf_add(body, bytes, (size_t)n);
		if (n <= 0 || body->failed) {
			end(g);
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
		refuse(g, 417, "The Expect is not known here.", NULL);
		return false;
	}
	if (head->content_length > 0)
		(void)!send(g->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL);
	return true;
}

static void
serve(struct guest *g, struct head *head, size_t len, void *who)
{
	g->req =
	    http_request_new(&g->host->config, head, &g->peer, who, reply, g);
	if (g->req == NULL || recv(g->fd, bytes, len, 0) != (ssize_t)len) {
		if (g->req == NULL) {
			gate_head_free(head);
			if (g->host->config.events->who_gone != NULL)
				g->host->config.events->who_gone(
				    g->host->config.arg, who);
		}
		end(g);
		return;
	}
	enter(g, GUEST_BODY, g->host->config.body_ms);
	read_body(g);
}

/* The library reads the head again, from a socket that looks new. */
static void
hand_over(struct guest *g, struct head *head, const struct ws_verdict *v)
{
	int fd = g->fd;

	rest(g);
	g->fd = -1;
	sock_adopt(g->host, g->host->plain, fd, &g->peer, head, v);
	end(g);
}

static void
judge(struct guest *g, size_t len)
{
	struct gate_refusal no;
	struct ws_verdict v;
	struct head *head = gate_parse(bytes, len, &no);

	if (head == NULL || !gate_judge(head, INT64_MAX, &no)) {
		refuse(g, no.status, no.why, no.header);
	} else if (!ws_admit(g->host, head, &g->peer, &v)) {
		refuse_verdict(g, &v);
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

static void
look(struct guest *g)
{
	ssize_t n = recv(g->fd, bytes, GATE_HEAD_MAX, MSG_PEEK);
	long head;

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		watch(g, UV_READABLE);
		return;
	}
	/* woken without a new byte: it has hung up behind half a head */
	if (n <= 0 || ((size_t)n == g->seen && !g->nap)) {
		end(g);
		return;
	}
	head = gate_end(bytes, (size_t)n, g->seen);
	g->seen = (size_t)n;
	if (head > 0) {
		port_lowat(g->fd, 1);
		g->nap = false;
		judge(g, (size_t)head);
	} else if (head < 0) {
		port_lowat(g->fd, 1);
		refuse(g, (int)-head, "The header is malformed or too large.",
		    NULL);
	} else if (port_lowat(g->fd, (int)n + 1)) {
		watch(g, UV_READABLE);
	} else {
		g->nap = true; /* or the half head would wake us at once */
		rest(g);
	}
}

/* What comes behind a request is no longer taken. */
static void
discard(struct guest *g)
{
	ssize_t n = recv(g->fd, bytes, sizeof bytes, 0);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
		end(g);
		return;
	}
	g->seen += n > 0 ? (size_t)n : 0;
	if (g->seen <= DISCARD_MAX)
		return;
	if (g->state == GUEST_LINGER)
		end(g);
	else
		watch(g, UV_DISCONNECT);
}

static void
on_guest(uv_poll_t *poll, int status, int events)
{
	struct guest *g = poll->data;

	if (status < 0) {
		end(g);
		return;
	}
	switch (g->state) {
	case GUEST_HEAD:
		look(g);
		break;
	case GUEST_BODY:
		read_body(g);
		break;
	case GUEST_PARKED:
	case GUEST_LINGER:
		if ((events & UV_READABLE) != 0)
			discard(g);
		else
			end(g);
		break;
	case GUEST_WRITE:
		write_some(g);
		break;
	case GUEST_ENDED:
		break;
	}
}

static struct guest *
add(struct ws_host *host, int fd, const struct ws_peer *peer)
{
	struct guest *g = mem_alloc(sizeof *g);

	g->host = host;
	g->fd = fd;
	g->peer = *peer;
	host->n_guests++;
	host->n_pending++;
	DL_APPEND(host->guests, g);
	enter(g, GUEST_HEAD, host->config.head_ms);
	if (!timer_active(host->sweep))
		timer_set(host->sweep, WS_SWEEP_MS);
	return g;
}

void
guest_new(struct ws_host *host, int fd, const struct ws_peer *peer)
{
	look(add(host, fd, peer));
}

void
guest_refuse_new(struct ws_host *host, int fd, const struct ws_peer *peer,
    int status, const char *why)
{
	refuse(add(host, fd, peer), status, why, "Retry-After: 5");
}

void
guest_linger(struct ws_host *host, int fd, const struct ws_peer *peer)
{
	linger(add(host, fd, peer));
}

void
guests_turn(struct ws_host *host)
{
	struct guest *g, *next;

	while ((g = host->replies) != NULL) {
		host->replies = g->reply_next;
		if (g->state == GUEST_WRITE)
			write_some(g);
	}
	DL_FOREACH_SAFE (host->graveyard, g, next) {
		DL_DELETE(host->graveyard, g);
		if (g->has_poll)
			uv_close((uv_handle_t *)&g->poll, free_guest);
		else
			free(g);
	}
}

static void
too_late(struct guest *g)
{
	if (g->state == GUEST_HEAD && g->seen > 0)
		refuse(g, 408, "The header came too slowly.", NULL);
	else if (g->state == GUEST_BODY) {
		struct http_request *req = g->req;

		g->req = NULL;
		http_gone(req);
		refuse(g, 408, "The body came too slowly.", NULL);
	} else
		end(g);
}

void
guests_sweep(struct ws_host *host, int64_t now)
{
	struct guest *g, *next;

	DL_FOREACH_SAFE (host->guests, g, next) {
		if (now >= g->deadline)
			too_late(g);
		else if (g->nap)
			look(g);
	}
}

void
guests_free(struct ws_host *host)
{
	struct guest *g, *next;

	guests_turn(host);
	DL_FOREACH_SAFE (host->guests, g, next)
		end(g);
	guests_turn(host);
}
