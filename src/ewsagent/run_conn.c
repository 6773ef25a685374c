#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ewsagent/run_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { SHIM_KNOWN = 1, LINE_MAX_LEN = 256 };

struct write {
	uv_write_t uv;
	char bytes[];
};

static void
on_closed(uv_handle_t *h)
{
	struct run_conn *c = h->data;

	line_free(c->line);
	free(c);
}

void
run_disconnect(struct run *r)
{
	struct run_conn *c = r->conn;

	if (c == NULL)
		return;
	r->conn = NULL;
	c->run = NULL;
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

/* ---- what the shim says ------------------------------------------------ */

static uint64_t
number(char **save)
{
	uint64_t n = 0;
	const char *text = strtok_r(NULL, " ", save);

	if (text != NULL)
		str_u64(text, 0, INT64_MAX, &n);
	return n;
}

static void
on_greeting(struct run *r, char **save)
{
	uint64_t version = number(save);

	if (version != SHIM_KNOWN)
		log_warn("a handler's shim speaks version %" PRIu64
			 ", which is not known here",
		    version);
	r->shim = (pid_t)number(save);
}

static void
on_input(struct run *r, char **save)
{
	uint64_t poured = number(save), taken = number(save);

	/* what we have sent meanwhile is on its way */
	if (!r->known || taken > r->taken)
		r->taken = taken;
	r->known = true;
	r->poured = poured;
	r->shut = number(save) == 1;
	r->input_eof |= number(save) == 1;
	r->is_input = r->stream = true;
}

/* Only noted: several lines of a kind come to one event. */
static bool
on_line(void *arg, char *text, size_t len)
{
	struct run_conn *c = arg;
	struct run *r = c->run;
	char *save;
	const char *verb = strtok_r(text, " ", &save);

	(void)len;
	if (str_eq(verb, "ews-shim")) {
		on_greeting(r, &save);
	} else if (str_eq(verb, "started")) {
		r->started_ms = (int64_t)number(&save);
		r->is_started = true;
	} else if (str_eq(verb, "output")) {
		int i = number(&save) == 1;

		r->kept[i] = number(&save);
		r->is_output[i] = true;
	} else if (str_eq(verb, "input")) {
		on_input(r, &save);
	} else if (str_eq(verb, "over")) {
		r->over = true;
	}
	return true;
}

/* An event may ask things of the run, but cannot free it. */
static void
deliver(struct run *r)
{
	const struct run_events *e = r->set->events;

	if (r->is_started && !r->told_start) {
		r->told_start = true;
		e->started(r->arg, r->started_ms);
	}
	for (int i = 0; i < 2; i++)
		if (r->is_output[i])
			e->output(r->arg, i, r->kept[i]);
	if (r->is_input)
		e->input(r->arg, r->poured, r->shut);
	r->is_started = r->is_input = false;
	r->is_output[0] = r->is_output[1] = false;
}

static void
on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct run_conn *c = h->data;

	(void)hint;
	*buf = uv_buf_init(c->buf, sizeof c->buf);
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct run_conn *c = s->data;
	struct run *r = c->run;

	if (n == 0 || r == NULL)
		return;
	if (n < 0 || !line_feed(c->line, buf->base, (size_t)n)) {
		run_disconnect(r);
		run_settle(r);
		return;
	}
	deliver(r);
	if (r->over)
		run_settle(r);
}

/* ---- what it is asked --------------------------------------------------- */

static void
on_written(uv_write_t *uv, int status)
{
	(void)status; /* the end of the connection is read */
	free(uv->data);
}

static void
send_bytes(struct run *r, const char *head, const char *bytes, size_t len)
{
	size_t n = strlen(head);
	struct write *w = mem_alloc(sizeof *w + n + len);
	uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)(n + len));

	w->uv.data = w;
	memcpy(w->bytes, head, n);
	if (len > 0)
		memcpy(w->bytes + n, bytes, len);
	if (uv_write(&w->uv, (uv_stream_t *)&r->conn->pipe, &buf, 1,
		on_written) != 0)
		free(w);
}

static void
send_ask(struct run *r)
{
	char head[96];

	snprintf(head, sizeof head, "ask %d %" PRId64 " %s\n", r->ask_signal,
	    r->ask_grace_ms, run_why_word(r->ask_why));
	send_bytes(r, head, NULL, 0);
	r->asked = false;
}

void
run_ask(struct run *r, int signal, int64_t grace_ms, enum run_why why)
{
	r->asked = true;
	r->ask_signal = signal;
	r->ask_grace_ms = grace_ms > 0 ? grace_ms : 0;
	r->ask_why = why;
	if (r->conn != NULL)
		send_ask(r);
}

void
run_stop_keeping(struct run *r)
{
	r->stop_keeping = true;
	if (r->conn != NULL)
		send_bytes(r, "nokeep\n", NULL, 0);
}

bool
run_input(
    struct run *r, uint64_t offset, const char *bytes, size_t len, bool eof)
{
	char head[96];
	uint64_t old;

	if (r->conn == NULL || !r->known || offset > r->taken)
		return false;
	r->input_eof |= eof;
	old = r->taken - offset;
	if (old > len)
		return true;
	bytes += old;
	len -= (size_t)old;
	do {
		size_t n = len < RUN_CHUNK ? len : RUN_CHUNK;

		snprintf(head, sizeof head, "input %" PRIu64 " %zu %d\n",
		    r->taken, n, eof && n == len);
		send_bytes(r, head, bytes, n);
		r->taken += n;
		bytes += n;
		len -= n;
	} while (len > 0);
	return true;
}

uint64_t
run_input_offset(const struct run *r)
{
	return r->taken;
}

bool
run_input_eof(const struct run *r)
{
	return r->input_eof;
}

/* ---- connecting --------------------------------------------------------- */

/* To a Unix socket: at once, or not at all. */
static int
reach(struct run *r)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char path[PATH_SIZE];
	int fd = port_socket(AF_UNIX, SOCK_STREAM), saved;

	if (fd == -1)
		return -1;
	run_path(r->set, path, r->name, "sock");
	str_copy(sun.sun_path, sizeof sun.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

bool
run_connect(struct run *r)
{
	struct run_conn *c;
	int fd = reach(r);

	if (fd == -1)
		return false;
	c = mem_alloc(sizeof *c);
	c->run = r;
	c->line = line_new(LINE_MAX_LEN, on_line, c);
	uv_pipe_init(loop_uv(r->set->loop), &c->pipe, 0);
	c->pipe.data = c;
	r->conn = c;
	if (uv_pipe_open(&c->pipe, fd) != 0) {
		close(fd);
		run_disconnect(r);
		errno = EMFILE;
		return false;
	}
	uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
	if (r->stop_keeping)
		run_stop_keeping(r);
	if (r->asked)
		send_ask(r);
	return true;
}
