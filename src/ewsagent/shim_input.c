#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ewsagent/shim_priv.h"

void
shim_input_init(struct shim *s, int fd)
{
	s->input.fd = fd;
	buf_init(&s->input.buf, 2 * SHIM_INPUT_MAX);
	if (fd != -1)
		fcntl(fd, F_SETFL, O_NONBLOCK);
}

void
shim_input_shut(struct shim *s)
{
	if (s->input.fd == -1)
		return;
	close(s->input.fd);
	s->input.fd = -1;
	s->conn.tell_input = true;
}

uint64_t
shim_input_taken(const struct shim *s)
{
	return s->input.written + s->input.buf.len;
}

static void
pour(struct shim *s)
{
	struct shim_input *in = &s->input;
	ssize_t n;

	while (in->buf.len > 0) {
		n = write(in->fd, in->buf.bytes, in->buf.len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) { /* it need not read its input */
			shim_input_shut(s);
			return;
		}
		buf_drop(&in->buf, (size_t)n);
		in->written += (uint64_t)n;
		s->conn.tell_input = true;
	}
	if (in->eof)
		shim_input_shut(s);
}

void
shim_input_take(
    struct shim *s, uint64_t offset, const char *bytes, size_t len, bool eof)
{
	struct shim_input *in = &s->input;
	uint64_t taken = shim_input_taken(s), known;

	if (in->fd == -1 || offset > taken) {
		s->conn.tell_input = true; /* so that it asks from there */
		return;
	}
	known = taken - offset;
	if (known > len)
		return;
	buf_add(&in->buf, bytes + known, len - (size_t)known);
	in->eof |= eof;
	pour(s);
}

/* Without POLLOUT it tells only that the reader has gone. */
short
shim_input_want(const struct shim *s)
{
	return s->input.buf.len > 0 ? POLLOUT : 0;
}

void
shim_input_ready(struct shim *s, short revents)
{
	if ((revents & POLLOUT) != 0)
		pour(s);
	/* Linux says ERR when the reader has gone, macOS says HUP */
	if (s->input.fd != -1 &&
	    (revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
		shim_input_shut(s);
}
