/*
 * sockline - lines to a Unix socket and the answers back
 *
 *	echo '{"id":1,"op":"ping"}' | sockline SOCKET
 *
 * Sends stdin, prints what comes back and stops after as many answer lines
 * as it sent; --lines says another number, 0 means until the peer closes.
 * With --raw the bytes of stdin go as they are, and --lines 0 is the default.
 *
 * Exit status: 0 the answers came, 1 the peer closed before, 2 usage,
 * 3 no connection, 4 they did not come in time.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "number.h"

enum { ANSWERED, CLOSED, USAGE, NO_CONNECTION, TIMEOUT };
enum { PIECE = 65536, AS_SENT = -1 };

struct talk {
	int fd;
	bool raw;
	bool half_close;
	bool eof; /* of stdin */
	bool shut; /* our direction is over */
	long lines; /* wanted, or AS_SENT */
	long sent, got;
	char last; /* octet read from stdin */
	struct bytes out;
};

static const char usage[] =
    "usage: sockline [--lines N] [--timeout SECONDS] [--raw] [--half-close] "
    "SOCKET\n";

static const struct option longs[] = { { "lines", required_argument, NULL,
					   'n' },
	{ "timeout", required_argument, NULL, 't' },
	{ "raw", no_argument, NULL, 'r' },
	{ "half-close", no_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' }, { 0 } };

static int
dial(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof sun.sun_path)
		errx(USAGE, "%s: longer than a socket's name may be", path);
	strcpy(sun.sun_path, path);
	if (fd == -1 || connect(fd, (struct sockaddr *)&sun, sizeof sun) != 0)
		err(NO_CONNECTION, "%s", path);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static long
count_lines(const char *p, size_t n)
{
	long lines = 0;

	while (n-- > 0)
		lines += *p++ == '\n';
	return lines;
}

static void
read_stdin(struct talk *t)
{
	char *room = bytes_room(&t->out, PIECE);
	ssize_t n = read(STDIN_FILENO, room, PIECE);

	if (n > 0) {
		t->sent += count_lines(room, (size_t)n);
		t->last = room[n - 1];
		t->out.len += (size_t)n;
		return;
	}
	t->eof = true;
	if (t->raw || t->last == '\n' || t->last == '\0')
		return;
	bytes_put(&t->out, "\n", 1);
	t->sent++;
}

static void
write_socket(struct talk *t)
{
	ssize_t n = send(t->fd, t->out.at, t->out.len, 0);

	if (n > 0) {
		bytes_eat(&t->out, (size_t)n);
	} else if (errno != EAGAIN && errno != EINTR) {
		bytes_eat(&t->out, t->out.len); /* it listens no more */
		t->shut = t->eof = true;
	}
}

/* Prints up to the last line that is wanted; false at the end. */
static bool
read_socket(struct talk *t)
{
	char buf[PIECE];
	ssize_t n = recv(t->fd, buf, sizeof buf, 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	for (ssize_t i = 0; i < n; i++) {
		putchar(buf[i]);
		t->got += buf[i] == '\n';
		if (t->lines > 0 && t->got == t->lines)
			break;
	}
	fflush(stdout);
	return true;
}

static bool
answered(const struct talk *t)
{
	if (t->lines == 0)
		return false;
	if (t->lines == AS_SENT)
		return t->eof && t->out.len == 0 && t->got >= t->sent;
	return t->got >= t->lines;
}

static long
milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
talk(struct talk *t, long limit_ms)
{
	long deadline = milliseconds() + limit_ms;

	while (!answered(t)) {
		long left = deadline - milliseconds();
		struct pollfd p[2] = {
			{ .fd = t->fd, .events = POLLIN },
			{ .fd = t->eof || t->out.len > PIECE ? -1
							     : STDIN_FILENO,
			    .events = POLLIN },
		};

		if (t->out.len > 0)
			p[0].events |= POLLOUT;
		if (left <= 0)
			return TIMEOUT;
		if (poll(p, 2, (int)left) <= 0)
			continue;
		if (p[1].revents != 0)
			read_stdin(t);
		if ((p[0].revents & POLLOUT) != 0 && t->out.len > 0)
			write_socket(t);
		if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
		    !read_socket(t))
			return t->lines == 0 || answered(t) ? ANSWERED : CLOSED;
		if (t->half_close && t->eof && t->out.len == 0 && !t->shut) {
			shutdown(t->fd, SHUT_WR);
			t->shut = true;
		}
	}
	return ANSWERED;
}

int
main(int argc, char **argv)
{
	struct talk t = { .lines = AS_SENT };
	long limit_ms = 10000;
	int c, status;

	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			t.lines = number(optarg, 0, 1000000000);
			break;
		case 't':
			limit_ms = 1000 * number(optarg, 1, 1000000);
			break;
		case 'r':
			t.raw = true;
			break;
		case 'c':
			t.half_close = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return ANSWERED;
		default:
			return USAGE;
		}
	}
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		return USAGE;
	}
	if (t.raw && t.lines == AS_SENT)
		t.lines = 0;
	t.fd = dial(argv[optind]);
	status = talk(&t, limit_ms);
	if (status == CLOSED)
		warnx("closed after %ld answers", t.got);
	if (status == TIMEOUT)
		warnx("%ld answers in time", t.got);
	close(t.fd);
	bytes_fini(&t.out);
	return status;
}
