/*
 * storm - mutated requests and frames, thrown at a port
 *
 *   storm PORT SECRET-FILE COUNT SEED
 *
 * One connection each: a head, a request with a body, or a handshake with
 * frames behind it. The answers do not matter; that the hub still serves
 * others is for the caller to see. Exits 1 when nobody listens any more.
 */
#include <arpa/inet.h>
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mutate.h"

enum { ANSWER_MS = 20, KINDS = 3 };

static const char *const words[] = { "\r\n", "\r\n\r\n", "\n", ": ", "HTTP/1.1",
	"Content-Length: 9\r\n", "Content-Length: -1\r\n", "Host: x\r\n",
	"Transfer-Encoding: chunked\r\n", "Upgrade: websocket\r\n",
	"Connection: Upgrade\r\n", "Expect: 100-continue\r\n", "%00", "/../",
	"{\"type\":\"ping\"}", "\x81\xfe", "\x88\x81", "\x89\xff", "\x00\x80",
	"\xc1\x82", "{", "\"", "\\u0000", NULL };

static char secret[256];

static void
read_secret(const char *path)
{
	FILE *f = fopen(path, "r");

	if (f == NULL || fgets(secret, sizeof secret, f) == NULL)
		err(2, "%s", path);
	secret[strcspn(secret, "\n")] = '\0';
	fclose(f);
}

static int
call(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof to) == -1)
		err(1, "connect");
	return fd;
}

/* What it has to say, if it says it soon. */
static void
listen_to(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char answer[4096];

	if (poll(&p, 1, ANSWER_MS) == 1)
		(void)!read(fd, answer, sizeof answer);
}

static void
say(int fd, const char *bytes, size_t len)
{
	(void)!send(fd, bytes, len, 0);
}

static size_t
handshake(char *text, size_t size, unsigned n)
{
	return (size_t)snprintf(text, size,
	    "GET /edge/ws?edge_agent_id=storm%u HTTP/1.1\r\n"
	    "Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Sec-WebSocket-Version: 13\r\n%sAuthorization: Bearer %s\r\n\r\n",
	    n % 50, n % 2 ? "Sec-WebSocket-Protocol: ews.v1\r\n" : "", secret);
}

static size_t
request(char *text, size_t size, unsigned n)
{
	static const char body[] =
	    "{\"edge_agent_id\":\"storm\",\"protocol\":\"ews.v1\",\"wait\":0,"
	    "\"frames\":[{\"type\":\"command_ack\",\"data\":{\"command_id\":"
	    "\"c\",\"status\":\"completed\"}}],\"status\":{}}";
	static const char *const paths[] = { "/edge/sync", "/edge/command/ack",
		"/edge/command/schedule", "/orchestrator/heartbeat" };

	return (size_t)snprintf(text, size,
	    "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s"
	    "\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n"
	    "%s",
	    paths[n % 4], secret, sizeof body - 1, body);
}

/* Masked with zeros: the payload is readable. */
static size_t
frames(char *text)
{
	static const char *const said[] = {
		"{\"type\":\"hello\",\"data\":{\"instance\":\"i\"}}",
		"{\"type\":\"output\",\"data\":{\"command_id\":\"c\","
		"\"stream\":"
		"\"stdout\",\"offset\":0,\"data\":\"x\"}}",
		"{\"type\":\"ping\"}", "", NULL
	};
	size_t len = 0;

	for (size_t i = 0; said[i] != NULL; i++) {
		size_t n = strlen(said[i]);

		text[len++] = (char)(n == 0 ? 0x89 : 0x81);
		text[len++] = (char)(0x80 | n);
		memset(text + len, 0, 4);
		memcpy(text + len + 4, said[i], n);
		len += 4 + n;
	}
	return len;
}

static void
once(int port, struct mutate *m, unsigned n)
{
	static char text[MUTANT_MAX];
	struct linger reset = { 1, 0 };
	int fd = call(port);
	size_t len;

	switch (n % KINDS) {
	case 0:
		len = handshake(text, sizeof text, n);
		break;
	case 1:
		len = request(text, sizeof text, n);
		break;
	default:
		len = handshake(text, sizeof text, n);
		say(fd, text, len);
		listen_to(fd);
		len = frames(text);
	}
	len = mutate(m, text, len, words);
	say(fd, text, len);
	listen_to(fd);
	if (mutate_pick(m, 2) == 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
}

int
main(int argc, char **argv)
{
	struct mutate m;

	if (argc != 5)
		errx(2, "usage: storm PORT SECRET-FILE COUNT SEED");
	signal(SIGPIPE, SIG_IGN);
	read_secret(argv[2]);
	mutate_seed(&m, strtoull(argv[4], NULL, 0));
	for (unsigned i = 0; i < (unsigned)atoi(argv[3]); i++)
		once(atoi(argv[1]), &m, i);
	return 0;
}
