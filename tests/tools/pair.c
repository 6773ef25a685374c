/*
 * pair - one connection through the proxy: a client, and the hub behind it
 */
#include "pair.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 65536, HEAD_MAX = 65536 };

static const char refusal[] = "HTTP/1.1 503 Service Unavailable\r\n"
			      "Content-Type: text/plain\r\n"
			      "Content-Length: 25\r\n"
			      "Connection: close\r\n"
			      "\r\n"
			      "no upgrades at this time\n";

static void
set_up(int fd)
{
	int on = 1;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

struct pair *
pair_new(int client_fd)
{
	struct pair *p = calloc(1, sizeof *p);

	if (p == NULL)
		abort();
	set_up(client_fd);
	p->client.fd = client_fd;
	p->hub.fd = -1;
	return p;
}

static void
side_fini(struct side *s)
{
	if (s->fd != -1)
		close(s->fd);
	bytes_fini(&s->out);
}

void
pair_free(struct pair *p)
{
	side_fini(&p->client);
	side_fini(&p->hub);
	free(p);
}

static void
reset(const struct side *s)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	if (s->fd != -1)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

void
pair_cut(struct pair *p)
{
	reset(&p->client);
	reset(&p->hub);
	p->done = true;
}

static short
wanted(const struct side *s, const struct side *other)
{
	short events = 0;

	if (!s->ended && other->out.len < PIECE)
		events |= POLLIN;
	if (s->out.len > 0)
		events |= POLLOUT;
	return events;
}

void
pair_poll(const struct pair *p, struct pollfd two[2])
{
	two[0] = (struct pollfd){ .fd = p->client.fd,
		.events = wanted(&p->client, &p->hub) };
	two[1] = (struct pollfd){ .fd = p->hub.fd,
		.events = wanted(&p->hub, &p->client) };
	if (!p->judged && !p->client.ended)
		two[0].events |= POLLIN;
	for (int i = 0; i < 2; i++) /* else a hang-up would spin */
		if (two[i].events == 0)
			two[i].fd = -1;
}

/* Two opening words of which the second starts like a target. */
static bool
looks_like_request(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && isupper((unsigned char)p[i]))
		i++;
	return i > 0 && i + 1 < n && p[i] == ' ' &&
	       strchr("/*h", p[i + 1]) != NULL;
}

static bool
asks_for_upgrade(char *head, size_t n)
{
	char *line;
	char was = head[n - 1];
	bool yes;

	head[n - 1] = '\0';
	line = strcasestr(head, "\nupgrade:");
	yes = line != NULL && strncasecmp(line + 9 + strspn(line + 9, " \t"),
				  "websocket", 9) == 0;
	head[n - 1] = was;
	return yes;
}

static void
call_hub(struct pair *p, const struct sockaddr_in *where)
{
	p->hub.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (p->hub.fd == -1) {
		pair_cut(p);
		return;
	}
	set_up(p->hub.fd);
	if (connect(p->hub.fd, (const struct sockaddr *)where, sizeof *where) !=
		0 &&
	    errno != EINPROGRESS)
		pair_cut(p);
}

static void
refuse(struct pair *p, struct pair_rules *rules)
{
	rules->counts.refused++;
	bytes_put(&p->client.out, refusal, sizeof refusal - 1);
	p->refused = true;
}

/* The first bytes of the client wait in the hub's queue until we know what
 * they are. */
static void
judge(struct pair *p, struct pair_rules *rules)
{
	struct bytes *b = &p->hub.out;
	bool http = b->len > 0 && isupper((unsigned char)*b->at);
	bool whole = http && memmem(b->at, b->len, "\r\n\r\n", 4) != NULL;

	if (http && !whole && b->len < HEAD_MAX && !p->client.ended)
		return;
	p->judged = true;
	if (whole) {
		p->upgrade = asks_for_upgrade(b->at, b->len);
		p->plain = !p->upgrade;
		rules->counts.upgrades += p->upgrade;
		rules->counts.requests += p->plain;
	}
	if (p->upgrade && rules->refuse_upgrades)
		refuse(p, rules);
	else
		call_hub(p, &rules->hub);
}

/* False when the connection broke. */
static bool
receive(struct side *from, struct side *to)
{
	ssize_t n = recv(from->fd, bytes_room(&to->out, PIECE), PIECE, 0);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		from->ended = true;
	to->out.len += (size_t)n;
	return true;
}

static bool
transmit(struct side *s)
{
	ssize_t n = send(s->fd, s->out.at, s->out.len, 0);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
	bytes_eat(&s->out, (size_t)n);
	return true;
}

static void
hear_client(struct pair *p, struct pair_rules *rules)
{
	size_t had = p->hub.out.len;

	if (!receive(&p->client, &p->hub)) {
		pair_cut(p);
		return;
	}
	if (!p->judged) {
		if (p->hub.out.len > 0 || p->client.ended)
			judge(p, rules);
	} else if (p->plain && p->answered &&
		   looks_like_request(
		       p->hub.out.at + had, p->hub.out.len - had)) {
		rules->counts.requests++; /* on a kept connection */
		p->answered = false;
	}
}

static void
hear_hub(struct pair *p)
{
	if (!receive(&p->hub, &p->client))
		pair_cut(p);
	p->answered = true;
}

/* Hands on that no more comes, once all that came was written. */
static void
pass_end(const struct side *from, struct side *to)
{
	if (!from->ended || to->out.len > 0 || to->shut || to->fd == -1)
		return;
	shutdown(to->fd, SHUT_WR);
	to->shut = true;
}

void
pair_turn(struct pair *p, const struct pollfd two[2], struct pair_rules *rules)
{
	const short in = POLLIN | POLLHUP | POLLERR;

	if ((two[0].revents & in) != 0 && (two[0].events & POLLIN) != 0)
		hear_client(p, rules);
	if (!p->done && (two[1].revents & in) != 0 &&
	    (two[1].events & POLLIN) != 0)
		hear_hub(p);
	if (!p->done && p->client.out.len > 0 && !transmit(&p->client))
		pair_cut(p);
	if (!p->done && p->hub.out.len > 0 && p->hub.fd != -1 &&
	    (two[1].revents & POLLOUT) != 0 && !transmit(&p->hub))
		pair_cut(p);
	if (p->refused && p->client.out.len == 0)
		p->done = true;
	if (p->done || p->refused)
		return;
	pass_end(&p->client, &p->hub);
	pass_end(&p->hub, &p->client);
	if (p->client.ended && p->hub.ended && p->client.out.len == 0 &&
	    p->hub.out.len == 0)
		p->done = true;
}
