#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/ctl_priv.h"
#include "lib/exit.h"

enum { READ_SIZE = 65536 };

void
ctl_io_init(struct ctl_io *io, int fd)
{
	memset(io, 0, sizeof *io);
	io->fd = fd;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	buf_init(&io->out, CTL_QUEUE_MAX);
	buf_init(&io->in, CTL_QUEUE_MAX);
}

void
ctl_io_fini(struct ctl_io *io)
{
	buf_fini(&io->out);
	buf_fini(&io->in);
	close(io->fd);
}

static size_t
unsent(const struct ctl_io *io)
{
	return io->out.len - io->sent;
}

/* Moving bytes to the front only now and then keeps this linear. */
static void
tidy_out(struct ctl_io *io)
{
	if (io->sent < io->out.len / 2)
		return;
	buf_drop(&io->out, io->sent);
	io->sent = 0;
}

/* True if something left. A hub that refuses us may have said why before
 * it hung up: so a failure here only stops the sending. */
static bool
flush(struct ctl_io *io)
{
	size_t before = unsent(io);

	while (unsent(io) > 0 && !io->deaf) {
		ssize_t n =
		    send(io->fd, io->out.bytes + io->sent, unsent(io), 0);

		if (n > 0)
			io->sent += (size_t)n;
		else if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		else if (n == -1 && errno != EINTR)
			io->deaf = true;
	}
	if (io->deaf)
		io->sent = io->out.len;
	before -= unsent(io);
	tidy_out(io);
	return before > 0;
}

/* True if something came, the end of the stream included. */
static bool
fill(struct ctl_io *io)
{
	char bytes[READ_SIZE];
	size_t room = io->in.max - io->in.len;
	ssize_t n, i;

	if (room == 0)
		return false;
	n = read(io->fd, bytes, room < sizeof bytes ? room : sizeof bytes);
	if (n == -1)
		n = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
			? -1
			: 0;
	for (i = 0; i < n; i++)
		io->lines += bytes[i] == '\n';
	if (n > 0)
		buf_add(&io->in, bytes, (size_t)n);
	if (n == 0 || io->in.failed)
		io->hung_up = true;
	return n >= 0;
}

/* For poll(2). What is left is rounded up, so that it never spins. */
static int
left(int64_t deadline_ms)
{
	int64_t ms;

	if (deadline_ms < 0)
		return -1;
	ms = deadline_ms - clock_mono(&clock_system);
	return ms <= 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

bool
ctl_io_wait(struct ctl_io *io, int64_t deadline_ms, struct err *err)
{
	for (;;) {
		struct pollfd p = { .fd = io->fd };
		bool moved = false;
		int n;

		if (!io->hung_up && io->in.len < io->in.max)
			p.events |= POLLIN;
		if (unsent(io) > 0)
			p.events |= POLLOUT;
		n = poll(&p, 1, left(deadline_ms));
		if (n == 1 && (p.revents & POLLOUT) != 0)
			moved = flush(io);
		if (n == 1 && (p.events & POLLIN) != 0 &&
		    (p.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			moved = fill(io) || moved;
		if (moved)
			return true;
		if (n == 1 && (p.revents & (POLLHUP | POLLERR)) != 0)
			io->deaf = true;
		if (io->deaf && (p.events & POLLIN) == 0)
			return true; /* nothing can move any more */
		if (n == 0 && left(deadline_ms) == 0) {
			err_set(err, EXIT_DEADLINE, "deadline",
			    "no answer in the time given");
			return false;
		}
	}
}

/* Makes room behind the lines that were given out. */
static void
tidy_in(struct ctl_io *io)
{
	if (io->read < io->in.len / 2)
		return;
	buf_drop(&io->in, io->read);
	io->read = 0;
}

bool
ctl_io_put(struct ctl_io *io, const char *line, size_t len, struct err *err)
{
	int64_t deadline = clock_mono(&clock_system) + CTL_STALL_MS;

	while (unsent(io) > 0 && unsent(io) + len + 1 > CTL_QUEUE_MAX) {
		if (io->in.len == io->in.max) {
			err_set(err, EXIT_RETRY, "queue_full",
			    "too many requests whose answers were not read");
			return false;
		}
		if (!ctl_io_wait(io, deadline, err))
			return false;
		deadline = clock_mono(&clock_system) + CTL_STALL_MS;
	}
	buf_drop(&io->out, io->sent);
	io->sent = 0;
	buf_add(&io->out, line, len);
	buf_add(&io->out, "\n", 1);
	if (io->out.failed) {
		buf_reset(&io->out);
		err_set(err, EXIT_RETRY, "queue_full", "out of memory");
		return false;
	}
	flush(io);
	return true;
}

bool
ctl_io_line(struct ctl_io *io, size_t *at, size_t *len)
{
	char *end;

	tidy_in(io); /* the line given out before may go now */
	if (io->lines == 0)
		return false;
	end = memchr(io->in.bytes + io->read, '\n', io->in.len - io->read);
	*end = '\0';
	*at = io->read;
	*len = (size_t)(end - io->in.bytes) - io->read;
	io->read += *len + 1;
	io->lines--;
	return true;
}
