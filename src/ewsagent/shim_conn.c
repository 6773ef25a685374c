#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ewsagent/shim_priv.h"
#include "lib/str.h"
#include "lib/unix.h"

static void
drop(struct shim *s)
{
	if (s->conn.fd != -1)
		close(s->conn.fd);
	memset(&s->conn, 0, sizeof s->conn);
	s->conn.fd = -1;
}

void
shim_conn_accept(struct shim *s)
{
	struct unix_peer peer;
	int fd = port_accept(s->listener);

	if (fd == -1)
		return;
	if (!unix_peer(fd, &peer) || !unix_peer_ok(&peer, (gid_t)-1)) {
		close(fd);
		return;
	}
	drop(s);
	s->conn.fd = fd;
	s->conn.greet = s->conn.tell_start = s->conn.tell_input = true;
	s->conn.tell_output[0] = s->conn.tell_output[1] = true;
	s->conn.tell_over = s->written;
}

static bool
has_news(const struct shim_conn *c)
{
	return c->greet || c->tell_start || c->tell_input || c->tell_over ||
	       c->tell_output[0] || c->tell_output[1];
}

static void __attribute__((format(printf, 2, 3)))
say(struct shim_conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	c->out_len += (size_t)vsnprintf(
	    c->out + c->out_len, sizeof c->out - c->out_len, fmt, ap);
	va_end(ap);
}

/* Only when all before it is sent, so that whatever changes meanwhile makes
 * one line. They fit: six lines of three numbers at most. */
static void
compose(struct shim *s)
{
	struct shim_conn *c = &s->conn;

	if (c->greet)
		say(c, "ews-shim %d %ld\n", SHIM_VERSION, (long)getpid());
	if (c->tell_start)
		say(c, "started %" PRId64 "\n", s->end.started_ms);
	for (int i = 0; i < 2; i++)
		if (c->tell_output[i])
			say(c, "output %d %" PRIu64 "\n", i,
			    spool_kept(s->spools[i]));
	if (c->tell_input)
		say(c, "input %" PRIu64 " %" PRIu64 " %d %d\n",
		    s->input.written, shim_input_taken(s), s->input.fd == -1,
		    s->input.eof);
	if (c->tell_over)
		say(c, "over\n");
	c->greet = c->tell_start = c->tell_input = c->tell_over = false;
	c->tell_output[0] = c->tell_output[1] = false;
}

static void
send_news(struct shim *s)
{
	struct shim_conn *c = &s->conn;
	ssize_t n;

	if (c->out_len == 0)
		compose(s);
	n = write(c->fd, c->out, c->out_len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(s);
		return;
	}
	c->out_len -= (size_t)n;
	memmove(c->out, c->out + n, c->out_len);
}

static bool
word(char **save, uint64_t max, uint64_t *n)
{
	const char *text = strtok_r(NULL, " ", save);

	return text != NULL && str_u64(text, 0, max, n);
}

static bool
on_ask(struct shim *s, char **save)
{
	uint64_t number, grace;
	enum run_why why;

	if (!word(save, 64, &number) || !word(save, INT64_MAX, &grace) ||
	    !run_why_from(strtok_r(NULL, " ", save), &why))
		return false;
	shim_ask(s, (int)number, (int64_t)grace, why);
	return true;
}

static bool
on_input(struct shim *s, char **save)
{
	struct shim_conn *c = &s->conn;
	uint64_t eof;

	if (!word(save, UINT64_MAX, &c->body_at) ||
	    !word(save, SHIM_INPUT_MAX, &c->body) || !word(save, 1, &eof))
		return false;
	c->body_eof = eof == 1;
	if (c->body == 0)
		shim_input_take(s, c->body_at, "", 0, c->body_eof);
	return true;
}

static bool
on_line(struct shim *s, char *line)
{
	char *save;
	const char *verb = strtok_r(line, " ", &save);

	if (str_eq(verb, "ask"))
		return on_ask(s, &save);
	if (str_eq(verb, "input"))
		return on_input(s, &save);
	if (str_eq(verb, "nokeep")) {
		spool_stop(s->spools[0]);
		spool_stop(s->spools[1]);
	}
	return true;
}

/* The bytes of an input as far as they came. How many of 'len'? */
static size_t
take_body(struct shim *s, const char *bytes, size_t len)
{
	struct shim_conn *c = &s->conn;
	size_t n = len < c->body ? len : (size_t)c->body;

	c->body -= n;
	shim_input_take(s, c->body_at, bytes, n, c->body == 0 && c->body_eof);
	c->body_at += n;
	return n;
}

static bool
feed(struct shim *s, const char *bytes, size_t len)
{
	struct shim_conn *c = &s->conn;

	while (len > 0) {
		size_t n = 1;

		if (c->body > 0) {
			n = take_body(s, bytes, len);
		} else if (*bytes != '\n') {
			if (c->line_len == sizeof c->line - 1)
				return false;
			c->line[c->line_len++] = *bytes;
		} else {
			c->line[c->line_len] = '\0';
			c->line_len = 0;
			if (!on_line(s, c->line))
				return false;
		}
		bytes += n;
		len -= n;
	}
	return true;
}

static void
read_agent(struct shim *s)
{
	ssize_t n = read(s->conn.fd, s->bytes, sizeof s->bytes);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !feed(s, s->bytes, (size_t)n))
		drop(s);
}

short
shim_conn_want(struct shim *s)
{
	short events = 0;

	if (s->input.buf.len < SHIM_INPUT_MAX)
		events |= POLLIN;
	if (s->conn.out_len > 0 || has_news(&s->conn))
		events |= POLLOUT;
	return events;
}

void
shim_conn_ready(struct shim *s, short revents)
{
	if ((revents & POLLIN) != 0)
		read_agent(s);
	else if ((revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
		drop(s);
	if (s->conn.fd != -1 && (revents & POLLOUT) != 0)
		send_news(s);
}

bool
shim_conn_told(const struct shim *s)
{
	return s->conn.fd == -1 ||
	       (s->conn.out_len == 0 && !has_news(&s->conn));
}
