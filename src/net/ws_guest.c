#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/mem.h"
#include "net/ws_guest.h"

/* Bytes behind a request that are read away. */
enum { DISCARD_MAX = 1 << 20 };

char guest_bytes[WS_SCRATCH]; /* one guest at a time looks into it */

static void on_guest(uv_poll_t *, int status, int events);

void
guest_enter(struct guest *g, enum guest_state state, int64_t ms)
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
void
guest_end(struct guest *g)
{
	struct ws_host *host = g->host;

	if (g->state == GUEST_ENDED)
		return;
	guest_enter(g, GUEST_ENDED, -1);
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

void
guest_watch(struct guest *g, int events)
{
	if (!g->has_poll) {
		if (uv_poll_init(
			loop_uv(g->host->config.loop), &g->poll, g->fd) != 0) {
			guest_end(g);
			return;
		}
		g->poll.data = g;
		g->has_poll = true;
	}
	uv_poll_start(&g->poll, events, on_guest);
}

void
guest_rest(struct guest *g)
{
	if (g->has_poll)
		uv_poll_stop(&g->poll);
}

/* Closing with unread bytes would reset the connection, and the peer
 * could lose the answer: read them away for a while. */
static void
linger(struct guest *g)
{
	if (g->host->n_lingering >= g->host->max_lingering ||
	    shutdown(g->fd, SHUT_WR) == -1) {
		guest_end(g);
		return;
	}
	guest_enter(g, GUEST_LINGER, WS_LINGER_MS);
	g->seen = 0;
	guest_watch(g, UV_READABLE);
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
			guest_watch(g, UV_WRITABLE);
			return;
		}
		if (n == -1) {
			guest_end(g);
			return;
		}
		g->out_at += (size_t)n;
		g->deadline = ws_loop_now(g->host) + g->host->config.body_ms;
	}
	if (g->linger || has_unread(g->fd))
		linger(g);
	else
		guest_end(g);
}

/* The answer leaves at the end of the turn; no answer hangs up then. */
void
guest_reply(void *arg, char *answer, size_t len)
{
	struct guest *g = arg;

	g->req = NULL;
	g->out = answer;
	g->out_len = len;
	guest_rest(g);
	guest_enter(g, GUEST_WRITE, g->host->config.body_ms);
	LL_PREPEND2(g->host->replies, g, reply_next);
	loop_again(g->host->config.loop);
}

void
guest_refuse(struct guest *g, int status, const char *why, const char *header)
{
	size_t len;
	char *answer = http_refusal(status, why, header, &len);

	ws_refused(g->host, &g->peer, status, why);
	g->linger = true;
	g->nap = false;
	guest_reply(g, answer, len);
}

void
guest_refuse_verdict(struct guest *g, const struct ws_verdict *v)
{
	size_t len;
	char *answer = http_refusal_verdict(v, &len);

	g->linger = true;
	guest_reply(g, answer, len);
}

/* What comes behind a request is no longer taken. */
static void
discard(struct guest *g)
{
	ssize_t n = recv(g->fd, guest_bytes, sizeof guest_bytes, 0);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
		guest_end(g);
		return;
	}
	g->seen += n > 0 ? (size_t)n : 0;
	if (g->seen <= DISCARD_MAX)
		return;
	if (g->state == GUEST_LINGER)
		guest_end(g);
	else
		guest_watch(g, UV_DISCONNECT);
}

static void
on_guest(uv_poll_t *poll, int status, int events)
{
	struct guest *g = poll->data;

	if (status < 0) {
		guest_end(g);
		return;
	}
	switch (g->state) {
	case GUEST_HEAD:
		guest_look(g);
		break;
	case GUEST_BODY:
		guest_read_body(g);
		break;
	case GUEST_PARKED:
	case GUEST_LINGER:
		if ((events & UV_READABLE) != 0)
			discard(g);
		else
			guest_end(g);
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
	guest_enter(g, GUEST_HEAD, host->config.head_ms);
	if (!timer_active(host->sweep))
		timer_set(host->sweep, WS_SWEEP_MS);
	return g;
}

void
guest_new(struct ws_host *host, int fd, const struct ws_peer *peer)
{
	guest_look(add(host, fd, peer));
}

void
guest_refuse_new(struct ws_host *host, int fd, const struct ws_peer *peer,
    int status, const char *why)
{
	guest_refuse(add(host, fd, peer), status, why, "Retry-After: 5");
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
		guest_refuse(g, 408, "The header came too slowly.", NULL);
	else if (g->state == GUEST_BODY) {
		struct http_request *req = g->req;

		g->req = NULL;
		http_gone(req);
		guest_refuse(g, 408, "The body came too slowly.", NULL);
	} else
		guest_end(g);
}

void
guests_sweep(struct ws_host *host, int64_t now)
{
	struct guest *g, *next;

	DL_FOREACH_SAFE (host->guests, g, next) {
		if (now >= g->deadline)
			too_late(g);
		else if (g->nap)
			guest_look(g);
	}
}

void
guests_free(struct ws_host *host)
{
	struct guest *g, *next;

	guests_turn(host);
	DL_FOREACH_SAFE (host->guests, g, next)
		guest_end(g);
	guests_turn(host);
}
