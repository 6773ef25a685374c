#include "ewsctl/emit.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "ewsctl/signals.h"

/* A pipe that is writable takes as much without blocking. */
enum { PIECE = PIPE_BUF < 4096 ? PIPE_BUF : 4096 };

static emit_signal_fn *on_signal;
static void *signal_arg;
static int failed;

void
emit_watch(emit_signal_fn *fn, void *arg)
{
	on_signal = fn;
	signal_arg = arg;
}

int
emit_failed(void)
{
	return failed;
}

bool
emit_room(int fd, int ms)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLOUT },
		{ .fd = on_signal != NULL ? signals_fd() : -1,
		    .events = POLLIN } };

	for (;;) {
		int n = poll(p, 2, ms);

		if (n == 0)
			return false;
		if (n == -1) {
			if (errno != EINTR)
				return true; /* the write says what it is */
			continue;
		}
		if (p[1].revents != 0 && on_signal != NULL &&
		    !on_signal(signal_arg))
			return false;
		if (p[0].revents != 0)
			return true;
	}
}

void
emit(int fd, const void *bytes, size_t len)
{
	const char *at = bytes, *end = at + len;

	fflush(fd == STDERR_FILENO ? stderr : stdout);
	while (at < end && emit_room(fd, -1)) {
		size_t piece = (size_t)(end - at);
		ssize_t n = write(fd, at, piece < PIECE ? piece : PIECE);

		if (n >= 0) {
			at += n;
		} else if (errno != EINTR && errno != EAGAIN) {
			if (fd == STDOUT_FILENO && errno != EPIPE)
				failed = errno;
			return;
		}
	}
}
