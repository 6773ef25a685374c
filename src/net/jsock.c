#include "net/jsock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/line.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/port.h"
#include "net/timer.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: the socket has SO_NOSIGPIPE instead */
#endif

enum {
	READ_SIZE = 16384,
	WRITE_SIZE = 65536,
	FLUSH_MS = 1000, /* for what is queued when we close */
	HUNG_MS = 200, /* how often a half-closed peer is looked at */
	ACCEPT_BURST = 16,
	ACCEPT_PAUSE_MS = 100,
	BACKLOG = 64
};

enum conn_state { CONN_OPEN, CONN_FLUSHING, CONN_ENDED };

struct jsock_conn {
	uv_poll_t poll;
	struct jsock *sock;
	struct jsock_conn *prev, *next;
	int fd;
	enum conn_state state;
	bool paused;
	bool eof; /* it will send no more, but may still read */
	void *user;
	struct line *line;
	struct outq *out;
	char *rest; /* gathered from 'out', not yet taken by the kernel */
	size_t rest_at, rest_len;
	struct timer *timer;
};

struct jsock {
	uv_poll_t poll;
	struct jsock_config config;
	char *path;
	int fd;
	bool listening, freed;
	bool handle_open; /* the poll handle is not yet closed */
	unsigned count;
	struct jsock_conn *conns;
	struct timer *retry; /* accepts again when descriptors were out */
};

static void
maybe_free(struct jsock *s)
{
	if (!s->freed || s->conns != NULL || s->handle_open)
		return;
	free(s->path);
	free(s);
}

static void
conn_freed(uv_handle_t *handle)
{
	struct jsock_conn *c = handle->data;
	struct jsock *s = c->sock;

	close(c->fd);
	if (c->user != NULL)
		s->config.events->closed(c->user);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	s->count--;
	line_free(c->line);
	free(c->rest);
	free(c);
	maybe_free(s);
}

static void
end(struct jsock_conn *c)
{
	if (c->state == CONN_ENDED)
		return;
	c->state = CONN_ENDED;
	timer_free(c->timer);
	c->timer = NULL;
	uv_close((uv_handle_t *)&c->poll, conn_freed);
}

static bool
has_output(const struct jsock_conn *c)
{
	return c->rest_at < c->rest_len ||
	       (c->out != NULL && !outq_empty(c->out));
}

/* Takes the next run of bytes from the queue; a frame larger than the
 * buffer goes alone. */
static void
refill(struct jsock_conn *c)
{
	size_t len;

	if (c->rest == NULL)
		c->rest = mem_realloc(NULL, WRITE_SIZE);
	c->rest_at = 0;
	c->rest_len = outq_gather(c->out, c->rest, WRITE_SIZE, '\n');
	if (c->rest_len == 0) {
		const char *text = frame_payload(outq_head(c->out), &len);

		c->rest = mem_realloc(c->rest, len + 1);
		memcpy(c->rest, text, len);
		c->rest[len] = '\n';
		c->rest_len = len + 1;
		outq_pop(c->out);
	}
}

/* False if the peer is gone. */
static bool
write_some(struct jsock_conn *c)
{
	while (has_output(c)) {
		ssize_t n;

		if (c->rest_at == c->rest_len)
			refill(c);
		n = send(c->fd, c->rest + c->rest_at, c->rest_len - c->rest_at,
		    MSG_NOSIGNAL);
		if (n == -1)
			return errno == EAGAIN || errno == EINTR;
		c->rest_at += (size_t)n;
	}
	free(c->rest); /* nothing is kept for a silent connection */
	c->rest = NULL;
	c->rest_at = c->rest_len = 0;
	return true;
}

static bool
on_line(void *arg, char *text, size_t len)
{
	struct jsock_conn *c = arg;

	c->sock->config.events->line(c->user, text, len);
	return c->state == CONN_OPEN;
}

/* A peer that only shut its sending side down still wants answers; one
 * that hung up shows as POLLHUP, which no event of libuv tells apart. */
static void
on_timer(void *arg)
{
	struct jsock_conn *c = arg;
	struct pollfd p = { .fd = c->fd };

	if (c->state == CONN_FLUSHING || poll(&p, 1, 0) == -1 ||
	    (p.revents & (POLLHUP | POLLERR)) != 0)
		end(c);
	else
		timer_set(c->timer, HUNG_MS);
}

static void
read_some(struct jsock_conn *c)
{
	static char bytes[READ_SIZE];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		end(c);
	} else if (n == 0) {
		c->eof = true;
		on_timer(c);
	} else if (!line_feed(c->line, bytes, (size_t)n) &&
		   c->state == CONN_OPEN) {
		c->sock->config.events->overlong(c->user);
		jsock_close(c);
	}
}

static void watch(struct jsock_conn *);

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct jsock_conn *c = poll->data;

	if (status < 0) {
		end(c);
		return;
	}
	if ((events & UV_READABLE) != 0 && c->state == CONN_OPEN)
		read_some(c);
	if (c->state != CONN_ENDED && has_output(c) && !write_some(c))
		end(c);
	if (c->state == CONN_FLUSHING && !has_output(c))
		end(c);
	watch(c);
}

static void
watch(struct jsock_conn *c)
{
	int events = 0;

	if (c->state == CONN_ENDED)
		return;
	if (c->state == CONN_OPEN && !c->paused && !c->eof)
		events |= UV_READABLE;
	if (has_output(c) || c->state == CONN_FLUSHING)
		events |= UV_WRITABLE;
	if (events != 0)
		uv_poll_start(&c->poll, events, on_ready);
	else
		uv_poll_stop(&c->poll);
}

static void
refuse(int fd, const char *line)
{
	/* one short line fits into an empty socket, or it is lost */
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) == -1)
		log_debug("control socket: refusal not sent");
	close(fd);
}

static void
welcome(struct jsock *s, int fd)
{
	struct unix_peer peer;
	struct jsock_conn *c;

	if (!unix_peer(fd, &peer) || !unix_peer_ok(&peer, s->config.group)) {
		log_limited("control socket", LOG_WARN,
		    "control socket: refused uid %ld", (long)peer.uid);
		close(fd);
		return;
	}
	if (s->count >= s->config.max_conns) {
		refuse(fd, "{\"ok\":false,\"error\":{\"code\":\"too_many\","
			   "\"detail\":\"too many connections to the control "
			   "socket\"}}\n");
		return;
	}
	c = mem_alloc(sizeof *c);
	c->sock = s;
	c->fd = fd;
	c->poll.data = c;
	c->line = line_new(s->config.max_line, on_line, c);
	c->timer = timer_new(s->config.loop, on_timer, c);
	if (uv_poll_init(loop_uv(s->config.loop), &c->poll, fd) != 0)
		abort();
	c->next = s->conns;
	if (c->next != NULL)
		c->next->prev = c;
	s->conns = c;
	s->count++;
	c->user = s->config.events->open(s->config.arg, c, &peer);
	if (c->user == NULL)
		end(c);
	watch(c);
}

static void on_caller(uv_poll_t *, int status, int events);

static void
on_retry(void *arg)
{
	struct jsock *s = arg;

	if (s->listening)
		uv_poll_start(&s->poll, UV_READABLE, on_caller);
}

static void
on_caller(uv_poll_t *poll, int status, int events)
{
	struct jsock *s = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPT_BURST && s->listening; i++) {
		int fd = port_accept(s->fd);

		if (fd >= 0) {
			welcome(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			uv_poll_stop(&s->poll); /* or it would spin */
			timer_set(s->retry, ACCEPT_PAUSE_MS);
		}
		return;
	}
}

struct jsock *
jsock_listen(const struct jsock_config *config, struct err *err)
{
	int fd = unix_listen(config->path, config->mode, BACKLOG, err);
	struct jsock *s;

	if (fd == -1)
		return NULL;
	s = mem_alloc(sizeof *s);
	s->config = *config;
	s->path = mem_dup(config->path);
	s->fd = fd;
	s->listening = s->handle_open = true;
	s->retry = timer_new(config->loop, on_retry, s);
	s->poll.data = s;
	if (uv_poll_init(loop_uv(config->loop), &s->poll, fd) != 0)
		abort();
	uv_poll_start(&s->poll, UV_READABLE, on_caller);
	return s;
}

static void
listener_closed(uv_handle_t *handle)
{
	struct jsock *s = handle->data;

	s->handle_open = false;
	maybe_free(s);
}

void
jsock_stop(struct jsock *s)
{
	if (s == NULL || !s->listening)
		return;
	s->listening = false;
	unlink(s->path); /* first: nobody may connect to a closed one */
	uv_close((uv_handle_t *)&s->poll, listener_closed);
	close(s->fd);
	timer_free(s->retry);
}

void
jsock_free(struct jsock *s)
{
	if (s == NULL)
		return;
	jsock_stop(s);
	s->freed = true;
	for (struct jsock_conn *c = s->conns; c != NULL; c = c->next) {
		if (c->state != CONN_ENDED)
			write_some(c);
		end(c);
	}
	maybe_free(s);
}

unsigned
jsock_count(const struct jsock *s)
{
	return s->count;
}

void
jsock_set_outq(struct jsock_conn *c, struct outq *out)
{
	c->out = out;
}

void
jsock_want_write(struct jsock_conn *c)
{
	watch(c);
}

void
jsock_close(struct jsock_conn *c)
{
	if (c->state != CONN_OPEN)
		return;
	c->state = CONN_FLUSHING;
	timer_set(c->timer, FLUSH_MS);
	watch(c);
}

void
jsock_pause(struct jsock_conn *c, bool paused)
{
	if (c->paused == paused)
		return;
	c->paused = paused;
	watch(c);
}
