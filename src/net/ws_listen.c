#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/port.h"
#include "lib/str.h"
#include "net/ws_priv.h"

enum { BACKLOG = 511, ACCEPT_BURST = 64, ACCEPT_PAUSE_MS = 100 };

static void
set_on(int fd, int level, int option)
{
	int on = 1;

	setsockopt(fd, level, option, &on, sizeof on);
}

/* Numeric, an IPv4 address inside IPv6 as the former. */
static bool
peer_of(int fd, struct ws_peer *peer)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = { 0 };
	socklen_t len = sizeof sa;
	char *a = peer->address;

	if (getpeername(fd, &sa.any, &len) == -1)
		return false;
	if (sa.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &sa.v6.sin6_addr, a, sizeof peer->address);
		peer->port = ntohs(sa.v6.sin6_port);
	} else {
		inet_ntop(AF_INET, &sa.v4.sin_addr, a, sizeof peer->address);
		peer->port = ntohs(sa.v4.sin_port);
	}
	if (str_starts(a, "::ffff:"))
		memmove(a, a + 7, strlen(a + 7) + 1);
	peer->loopback = str_starts(a, "127.") || strcmp(a, "::1") == 0;
	return true;
}

/* TLS can hardly be refused with an answer: the handshake comes first. */
static void
welcome(struct ws_listener *l, int fd)
{
	struct ws_host *host = l->host;
	struct ws_peer peer = { .tls = l->vhost != NULL,
		.dialect = l->dialect };
	static const char why[] = "There are too many connections.";

	set_on(fd, IPPROTO_TCP, TCP_NODELAY);
	if (!peer_of(fd, &peer)) {
		close(fd);
		return;
	}
	if (ws_overloaded(host) && l->vhost == NULL) {
		guest_refuse_new(host, fd, &peer, 503, why);
	} else if (ws_overloaded(host)) {
		ws_refused(host, &peer, 503, why);
		close(fd);
	} else if (l->vhost == NULL) {
		guest_new(host, fd, &peer);
	} else {
		sock_adopt(host, l->vhost, fd, &peer, NULL, NULL);
	}
}

static void on_caller(uv_poll_t *, int status, int events);

static void
on_retry(void *arg)
{
	struct ws_listener *l = arg;

	if (l->open)
		uv_poll_start(&l->poll, UV_READABLE, on_caller);
}

static void
on_caller(uv_poll_t *poll, int status, int events)
{
	struct ws_listener *l = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPT_BURST && l->open; i++) {
		int fd = port_accept(l->fd);

		if (fd >= 0) {
			welcome(l, fd);
			if (ws_overloaded(l->host))
				return; /* first the refusals are written */
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			log_limited("accept", LOG_WARN, "%s: accept: %s",
			    l->name, strerror(errno));
			uv_poll_stop(poll); /* or it would spin */
			timer_set(l->retry, ACCEPT_PAUSE_MS);
		}
		return;
	}
}

static int
bind_one(const struct addrinfo *a)
{
	int fd = port_socket(a->ai_family, SOCK_STREAM);
	int saved;

	if (fd == -1)
		return -1;
	set_on(fd, SOL_SOCKET, SO_REUSEADDR);
	if (a->ai_family == AF_INET6)
		set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
bind_to(const struct ws_listen *want, struct err *err)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *list;
	char port[8];
	int rc, fd = -1;

	snprintf(port, sizeof port, "%d", want->port);
	rc = getaddrinfo(want->host, port, &hints, &list);
	if (rc != 0) {
		err_set(err, EXIT_CONFIG, "config", "cannot listen on %s: %s",
		    want->host, gai_strerror(rc));
		return -1;
	}
	for (struct addrinfo *a = list; a != NULL && fd == -1; a = a->ai_next)
		fd = bind_one(a);
	rc = errno;
	freeaddrinfo(list);
	if (fd == -1)
		err_set(err, EXIT_IO, "io", "cannot listen on %s:%d: %s",
		    want->host, want->port, strerror(rc));
	return fd;
}

static int
bound_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;
	socklen_t len = sizeof a;

	memset(&a, 0, sizeof a);
	if (getsockname(fd, &a.any, &len) == -1)
		return 0;
	return ntohs(
	    a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

/* A new vhost for every certificate: the old one serves who has it. */
static bool
load_tls(struct ws_listener *l, struct err *err)
{
	struct lws_vhost *vhost;
	char name[32];

	snprintf(name, sizeof name, "tls%u", l->host->serial++);
	ws_log_reset();
	vhost = ws_vhost(l->host, name, l->tls_cert, l->tls_key, NULL);
	if (vhost == NULL) {
		err_set(err, EXIT_CONFIG, "config",
		    "cannot use the certificate %s with the key %s: %s",
		    l->tls_cert, l->tls_key, ws_log_why());
		return false;
	}
	l->vhost = vhost;
	return true;
}

static void
listener_free(struct ws_listener *l)
{
	if (l->fd != -1)
		close(l->fd);
	free(l->name);
	free(l->dialect);
	free(l->tls_cert);
	free(l->tls_key);
	free(l);
}

struct ws_listener *
ws_listen(struct ws_host *host, const struct ws_listen *want, struct err *err)
{
	struct ws_listener *l = mem_alloc(sizeof *l);
	bool v6 = strchr(want->host, ':') != NULL;

	l->host = host;
	l->dialect = mem_dup(want->dialect);
	l->tls_cert = mem_dup(want->tls_cert);
	l->tls_key = mem_dup(want->tls_key);
	l->fd = bind_to(want, err);
	if (l->fd == -1 || (l->tls_cert != NULL && !load_tls(l, err))) {
		listener_free(l);
		return NULL;
	}
	l->port = bound_port(l->fd);
	l->name = v6 ? mem_printf("[%s]:%d", want->host, l->port)
		     : mem_printf("%s:%d", want->host, l->port);
	l->poll.data = l;
	if (uv_poll_init(loop_uv(host->config.loop), &l->poll, l->fd) != 0)
		abort();
	uv_poll_start(&l->poll, UV_READABLE, on_caller);
	l->retry = timer_new(host->config.loop, on_retry, l);
	l->open = true;
	l->next = host->listeners;
	host->listeners = l;
	return l;
}

int
ws_listener_port(const struct ws_listener *l)
{
	return l->port;
}

const char *
ws_listener_name(const struct ws_listener *l)
{
	return l->name;
}

bool
ws_listener_reload(struct ws_listener *l, struct err *err)
{
	return l->tls_cert == NULL || load_tls(l, err);
}

void
ws_listener_close(struct ws_listener *l)
{
	if (l == NULL || !l->open)
		return;
	l->open = false;
	timer_free(l->retry);
	uv_close((uv_handle_t *)&l->poll, NULL);
	close(l->fd);
	l->fd = -1;
}

void
listeners_free(struct ws_host *host)
{
	while (host->listeners != NULL) {
		struct ws_listener *l = host->listeners;

		host->listeners = l->next;
		listener_free(l);
	}
}
