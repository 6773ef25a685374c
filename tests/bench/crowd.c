/*
 * crowd - many WebSocket clients in one thread
 */
#include "crowd.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../tools/wsframe.h"
#include "../tools/wskey.h"

enum { NO_CONNECTION = 3, PIECE = 1 << 18 };

static const uint8_t mask[4] = { 0x3a, 0x91, 0x5c, 0xe7 };

uint64_t
crowd_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int
everybody(const struct crowd *f)
{
	return f->size + f->publisher;
}

void
crowd_init(struct crowd *f)
{
	size_t n = (size_t)everybody(f);

	f->members = calloc(n, sizeof *f->members);
	f->set = calloc(n, sizeof *f->set);
	f->late_us = calloc((size_t)f->late_max + 1, sizeof *f->late_us);
	if (f->members == NULL || f->set == NULL || f->late_us == NULL)
		errx(70, "out of memory");
	for (size_t i = 0; i < n; i++)
		f->members[i].fd = f->set[i].fd = -1;
	wskey_make(f->key);
}

static void
lose(struct crowd *f, int i)
{
	struct member *m = &f->members[i];

	if (m->state == UP && i < f->size) {
		f->up--;
		f->lost++;
	}
	m->state = GONE;
	close(m->fd);
	m->fd = f->set[i].fd = -1;
	bytes_fini(&m->in);
	bytes_fini(&m->out);
}

static void
send_rest(struct crowd *f, int i)
{
	struct member *m = &f->members[i];
	ssize_t n = send(m->fd, m->out.at, m->out.len, 0);

	if (n > 0)
		bytes_eat(&m->out, (size_t)n);
	if (m->out.len > 0) { /* an error shows at the next read */
		f->set[i].events |= POLLOUT;
		return;
	}
	bytes_fini(&m->out);
	f->set[i].events = POLLIN;
}

static void
put(struct crowd *f, int i, unsigned op, const char *p, size_t n)
{
	wsframe_put(&f->members[i].out, (uint8_t)(WS_FIN | op), p, n, mask);
}

/* Different addresses have different ephemeral ports to choose from. */
static void
choose_source(const struct crowd *f, int fd, int i)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i % f->sources));
#ifdef IP_BIND_ADDRESS_NO_PORT
	setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
#endif
	if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0)
		err(NO_CONNECTION, "source address %d", i % f->sources);
}

static void
call(struct crowd *f, int i)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd == -1)
		err(NO_CONNECTION, "connection %d", i);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (f->sources > 1)
		choose_source(f, fd, i);
	if (connect(fd, (const struct sockaddr *)&f->hub, sizeof f->hub) != 0 &&
	    errno != EINPROGRESS)
		err(NO_CONNECTION, "connection %d", i);
	f->members[i].fd = fd;
	f->members[i].state = CALLING;
	f->set[i] = (struct pollfd){ .fd = fd, .events = POLLOUT };
}

/* The first "%d" becomes the number of the member. */
static void
put_path(char *out, size_t size, const char *path, int i)
{
	const char *d = strstr(path, "%d");

	if (d == NULL)
		snprintf(out, size, "%s", path);
	else
		snprintf(
		    out, size, "%.*s%d%s", (int)(d - path), path, i, d + 2);
}

static void
ask(struct crowd *f, int i)
{
	char path[1024], text[4096];
	int n, cause = 0;
	socklen_t len = sizeof cause;

	getsockopt(f->members[i].fd, SOL_SOCKET, SO_ERROR, &cause, &len);
	if (cause != 0)
		errx(NO_CONNECTION, "connection %d: %s", i, strerror(cause));
	put_path(
	    path, sizeof path, i < f->size ? f->path : f->publisher_path, i);
	n = snprintf(text, sizeof text,
	    "GET %s HTTP/1.1\r\n"
	    "Host: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: %s\r\n%s%s%s%s%s%s\r\n",
	    path, ntohs(f->hub.sin_port), f->key,
	    f->secret ? "Authorization: Bearer " : "",
	    f->secret ? f->secret : "", f->secret ? "\r\n" : "",
	    f->protocol ? "Sec-WebSocket-Protocol: " : "",
	    f->protocol ? f->protocol : "", f->protocol ? "\r\n" : "");
	if (n >= (int)sizeof text)
		errx(2, "the request is too long");
	bytes_put(&f->members[i].out, text, (size_t)n);
	f->members[i].state = ASKED;
	send_rest(f, i);
}

/* Returns what the head took of it, or 0 while it is incomplete. */
static size_t
take_answer(struct crowd *f, int i, const char *p, size_t n)
{
	char head[16] = "";
	size_t len = wskey_head_len(p, n);
	int status;

	if (len == 0)
		return 0;
	memcpy(head, p, len < sizeof head ? len : sizeof head - 1);
	status = strncmp(head, "HTTP/1.", 7) == 0 ? atoi(head + 9) : 0;
	if (status < 0 || status >= CROWD_STATUS_MAX)
		status = 0;
	if (status != 101 && !f->knock)
		errx(NO_CONNECTION, "connection %d: HTTP %d", i, status);
	f->status[status]++;
	f->settled++;
	f->members[i].state = status == 101 ? UP : GONE;
	f->up += status == 101 && i < f->size;
	return len;
}

static void
note_stamp(struct crowd *f, const char *p, size_t n)
{
	const char *at = memmem(p, n, f->stamp, strlen(f->stamp));
	uint64_t ns = 0, now;

	if (at == NULL || f->late_n >= f->late_max)
		return;
	for (at += strlen(f->stamp);
	     at < p + n && (*at == ' ' || isdigit((unsigned char)*at)); at++)
		if (*at != ' ')
			ns = ns * 10 + (uint64_t)(*at - '0');
	now = crowd_now_ns();
	if (ns > 0 && now >= ns && (now - ns) / 1000 < UINT32_MAX)
		f->late_us[f->late_n++] = (uint32_t)((now - ns) / 1000);
}

static void
acknowledge(struct crowd *f, int i, const char *p, size_t n)
{
	static const char name[] = "\"command_id\":\"";
	static const char *const status[] = { "received", "completed" };
	const char *id = memmem(p, n, name, sizeof name - 1), *end;
	char text[512];

	if (id == NULL)
		return;
	id += sizeof name - 1;
	end = memchr(id, '"', (size_t)(p + n - id));
	if (end == NULL || end - id > 256)
		return;
	for (int k = 0; k < 2; k++)
		put(f, i, WS_TEXT, text,
		    (size_t)snprintf(text, sizeof text,
			"{\"type\":\"command_ack\",\"data\":{\"command_id\":"
			"\"%.*s\",\"status\":\"%s\"}}",
			(int)(end - id), id, status[k]));
}

static void
take_text(struct crowd *f, int i, const char *p, size_t n)
{
	static const char hello[] = "\"type\":\"hello\"";

	if (memmem(p, n, f->match, strlen(f->match)) != NULL) {
		f->deliveries++;
		if (f->stamp != NULL)
			note_stamp(f, p, n);
		if (f->ack)
			acknowledge(f, i, p, n);
	} else if (f->protocol != NULL &&
		   memmem(p, n, hello, sizeof hello - 1) != NULL) {
		put(f, i, WS_TEXT, f->hello, strlen(f->hello));
	}
}

static size_t
take_frame(struct crowd *f, int i, char *p, size_t n, bool *stay)
{
	struct wsframe h;

	if (!wsframe_parse(p, n, &h) || n - h.head < h.len)
		return 0;
	p += h.head;
	switch (h.first & 0xf) {
	case WS_TEXT:
		take_text(f, i, p, (size_t)h.len);
		break;
	case WS_PING:
		put(f, i, WS_PONG, p, (size_t)h.len);
		break;
	case WS_CLOSE:
		if (f->lost == 0)
			warnx("connection %d was closed: %d %.*s", i,
			    h.len < 2 ? 1005
				      : (uint8_t)p[0] << 8 | (uint8_t)p[1],
			    h.len < 2 ? 0 : (int)h.len - 2, p + 2);
		*stay = false;
		break;
	}
	return h.head + (size_t)h.len;
}

/* Takes what is complete; returns the octets that are left. */
static size_t
digest(struct crowd *f, int i, char *p, size_t n, bool *stay)
{
	struct member *m = &f->members[i];
	size_t used;

	while (n > 0 && *stay) {
		used = m->state == UP ? take_frame(f, i, p, n, stay)
				      : take_answer(f, i, p, n);
		if (used == 0)
			break;
		p += used;
		n -= used;
		*stay = *stay && m->state == UP;
	}
	return n;
}

static void
hear(struct crowd *f, int i)
{
	static char buf[PIECE];
	struct member *m = &f->members[i];
	ssize_t n = recv(m->fd, buf, sizeof buf, 0);
	bool stay = n > 0;
	size_t left;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!stay && m->state == ASKED)
		errx(NO_CONNECTION, "connection %d: hung up on", i);
	if (stay && m->in.len > 0) {
		bytes_put(&m->in, buf, (size_t)n);
		left = digest(f, i, m->in.at, m->in.len, &stay);
		bytes_eat(&m->in, m->in.len - left);
		if (left == 0)
			bytes_fini(&m->in);
	} else if (stay) {
		left = digest(f, i, buf, (size_t)n, &stay);
		bytes_put(&m->in, buf + n - left, left);
	}
	if (!stay)
		lose(f, i);
	else if (m->out.len > 0)
		send_rest(f, i);
}

static void
serve(struct crowd *f, int from, int to, int ms)
{
	int n = poll(f->set + from, (nfds_t)(to - from), ms);

	for (int i = from; i < to && n > 0; i++) {
		short now = f->set[i].revents;

		if (now == 0)
			continue;
		n--;
		if (f->members[i].state == CALLING) {
			ask(f, i);
			continue;
		}
		if ((now & POLLOUT) != 0)
			send_rest(f, i);
		if ((now & ~POLLOUT) != 0)
			hear(f, i);
	}
}

void
crowd_connect_turn(struct crowd *f, int ms)
{
	while (f->opened < everybody(f) && f->opened - f->settled < f->window)
		call(f, f->opened++);
	while (f->oldest < f->opened && f->members[f->oldest].state >= UP)
		f->oldest++;
	serve(f, f->oldest, f->opened, ms);
}

void
crowd_turn(struct crowd *f, int ms)
{
	serve(f, 0, f->opened, ms);
}

void
crowd_publish(struct crowd *f, const char *text, size_t n)
{
	if (f->members[f->size].state != UP)
		errx(1, "the publisher is gone");
	put(f, f->size, WS_TEXT, text, n);
	send_rest(f, f->size);
}

void
crowd_fini(struct crowd *f)
{
	for (int i = 0; i < f->opened; i++)
		if (f->members[i].fd != -1)
			lose(f, i);
	free(f->members);
	free(f->set);
	free(f->late_us);
}
