/*
 * wire - one TCP or TLS connection with deadlines
 */
#include "wire.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CANNOT_CONNECT = 3, AGAIN = 0, ENDED = -1, PIECE = 65536 };

int64_t
wire_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
wire_in_ms(long ms)
{
	return ms <= 0 ? WIRE_FOREVER : wire_now() + ms;
}

static bool
wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = -1;
	int n;

	do {
		if (deadline != WIRE_FOREVER) {
			left = deadline - wire_now();
			left = left < 0 ? 0 : left;
		}
		n = poll(&p, 1, (int)left);
	} while (n == -1 && errno == EINTR);
	return n > 0;
}

static int
try_connect(
    const struct addrinfo *ai, const struct wire_to *to, int64_t deadline)
{
	int fd = socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
	int on = 1, cause = 0;
	socklen_t len = sizeof cause;

	if (fd == -1)
		return -1;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (to->rcvbuf > 0) /* before connect: it sets the window */
		setsockopt(
		    fd, SOL_SOCKET, SO_RCVBUF, &to->rcvbuf, sizeof to->rcvbuf);
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return fd;
	if (errno != EINPROGRESS)
		cause = errno;
	else if (!wait_for(fd, POLLOUT, deadline))
		cause = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &len);
	if (cause == 0)
		return fd;
	close(fd);
	errno = cause;
	return -1;
}

static int
dial(const struct wire_to *to, int64_t deadline)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *ai;
	int fd = -1;
	int e = getaddrinfo(to->host, to->port, &hints, &all);

	if (e != 0)
		errx(CANNOT_CONNECT, "%s: %s", to->host, gai_strerror(e));
	for (ai = all; ai != NULL && fd == -1; ai = ai->ai_next)
		fd = try_connect(ai, to, deadline);
	if (fd == -1)
		err(CANNOT_CONNECT, "%s:%s", to->host, to->port);
	freeaddrinfo(all);
	return fd;
}

static SSL_CTX *
trust(const struct wire_to *to)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int ok = 1;

	if (ctx == NULL)
		errx(CANNOT_CONNECT, "no TLS");
	if (to->insecure)
		return ctx;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	ok = to->ca != NULL ? SSL_CTX_load_verify_locations(ctx, to->ca, NULL)
			    : SSL_CTX_set_default_verify_paths(ctx);
	if (ok != 1)
		errx(CANNOT_CONNECT, "cannot read the certificates%s%s",
		    to->ca != NULL ? " in " : "", to->ca ? to->ca : "");
	return ctx;
}

static void
name_peer(SSL *tls, const char *host)
{
	X509_VERIFY_PARAM *vp = SSL_get0_param(tls);

	if (X509_VERIFY_PARAM_set1_ip_asc(vp, host) == 1)
		return;
	SSL_set1_host(tls, host);
	SSL_set_tlsext_host_name(tls, host);
}

/* What a failed call on 'w->tls' means. */
static int
tls_verdict(struct wire *w, int rc)
{
	int e = SSL_get_error(w->tls, rc);

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
		w->want = e == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
		return AGAIN;
	}
	w->end = WIRE_CLOSED;
	if (e == SSL_ERROR_SYSCALL && errno == ECONNRESET)
		w->end = WIRE_RESET;
	ERR_clear_error();
	return ENDED;
}

static void
start_tls(struct wire *w, const struct wire_to *to, int64_t deadline)
{
	SSL_CTX *ctx = trust(to);
	unsigned long why;
	int rc;

	w->tls = SSL_new(ctx);
	SSL_CTX_free(ctx); /* 'tls' holds on to it */
	name_peer(w->tls, to->host);
	SSL_set_fd(w->tls, w->fd);
	SSL_set_mode(w->tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	while ((rc = SSL_connect(w->tls)) != 1) {
		why = ERR_peek_error();
		if (tls_verdict(w, rc) == ENDED)
			errx(CANNOT_CONNECT, "TLS: %s",
			    why == 0 ? "the peer hung up"
				     : ERR_reason_error_string(why));
		if (!wait_for(w->fd, w->want, deadline))
			errx(CANNOT_CONNECT, "TLS: no answer in time");
	}
}

void
wire_open(struct wire *w, const struct wire_to *to, int64_t deadline)
{
	*w = (struct wire){ .fd = dial(to, deadline) };
	if (to->tls)
		start_tls(w, to, deadline);
}

static int
socket_verdict(struct wire *w, short want)
{
	if (errno == EAGAIN || errno == EINTR) {
		w->want = want;
		return AGAIN;
	}
	if (want == POLLIN) /* a failed write leaves what is to be read */
		w->end = WIRE_RESET;
	return ENDED;
}

static int
read_some(struct wire *w)
{
	char *room = bytes_room(&w->in, PIECE);
	ssize_t n;

	if (w->end != WIRE_OPEN)
		return ENDED;
	if (w->tls != NULL) {
		n = SSL_read(w->tls, room, PIECE);
		if (n <= 0)
			return tls_verdict(w, (int)n);
	} else {
		n = recv(w->fd, room, PIECE, 0);
		if (n == -1)
			return socket_verdict(w, POLLIN);
		if (n == 0) {
			w->end = WIRE_CLOSED;
			return ENDED;
		}
	}
	w->in.len += (size_t)n;
	return (int)n;
}

static int
write_some(struct wire *w, const char *p, size_t n)
{
	ssize_t done;

	if (n > PIECE)
		n = PIECE;
	if (w->tls != NULL) {
		done = SSL_write(w->tls, p, (int)n);
		return done > 0 ? (int)done : tls_verdict(w, (int)done);
	}
	done = send(w->fd, p, n, 0);
	return done >= 0 ? (int)done : socket_verdict(w, POLLOUT);
}

bool
wire_fill(struct wire *w, int64_t deadline)
{
	int n;

	while ((n = read_some(w)) == AGAIN)
		if (!wait_for(w->fd, w->want, deadline))
			return false;
	return n > 0;
}

bool
wire_write(struct wire *w, const void *bytes, size_t len, int64_t deadline)
{
	const char *p = bytes;

	while (len > 0 && !w->deaf) {
		int n = write_some(w, p, len);

		if (n == ENDED) {
			w->deaf = true;
			break;
		}
		p += n;
		len -= (size_t)n;
		if (n > 0)
			continue;
		if (read_some(w) == ENDED ||
		    !wait_for(w->fd, POLLIN | POLLOUT, deadline))
			return false;
	}
	return len == 0;
}

void
wire_shut(struct wire *w)
{
	if (w->tls != NULL)
		SSL_shutdown(w->tls);
	shutdown(w->fd, SHUT_WR);
	w->deaf = true;
}

void
wire_abort(struct wire *w)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	if (w->tls != NULL) /* else SSL_free may say goodbye */
		SSL_set_quiet_shutdown(w->tls, 1);
	wire_fini(w);
	w->end = WIRE_CLOSED;
	w->deaf = true;
}

void
wire_fini(struct wire *w)
{
	if (w->fd == -1)
		return;
	SSL_free(w->tls);
	w->tls = NULL;
	close(w->fd);
	w->fd = -1;
	bytes_fini(&w->in);
}
