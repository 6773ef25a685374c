#include "ewsctl/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

struct input {
	struct buf held; /* read, and not yet in the handler's pipe */
	int64_t base; /* offset of its first byte */
	int64_t sent; /* offset: everything before it was sent */
	size_t window; /* the hub's: so much beyond 'base' */
	int64_t skip; /* bytes of stdin that the handler has already */
	bool joins, open, eof, eof_sent, closed;
};

struct input *
input_new(bool joins)
{
	struct input *in = mem_alloc(sizeof *in);

	buf_init(&in->held, INPUT_WINDOW);
	in->window = INPUT_WINDOW;
	in->joins = joins;
	return in;
}

void
input_free(struct input *in)
{
	if (in == NULL)
		return;
	buf_fini(&in->held);
	free(in);
}

static int64_t
end_of(const struct input *in)
{
	return in->base + (int64_t)in->held.len;
}

/* Until where we may send now. */
static int64_t
may_go(const struct input *in)
{
	return in->base +
	       (int64_t)(in->held.len < in->window ? in->held.len : in->window);
}

/* Whoever writes into our stdin sees at once that nobody reads. */
void
input_close(struct input *in)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (!in->closed && fd != -1)
		dup2(fd, STDIN_FILENO);
	if (fd > STDIN_FILENO)
		close(fd);
	in->closed = true;
	in->held.len = 0;
}

void
input_pause(struct input *in)
{
	in->open = false;
}

/* Everything before 'offset' is in the handler's pipe. */
static void
taken(struct input *in, int64_t offset)
{
	if (offset > end_of(in)) {
		in->skip += offset - end_of(in);
		in->base = offset;
		buf_reset(&in->held);
	} else if (offset > in->base) {
		buf_drop(&in->held, (size_t)(offset - in->base));
		in->base = offset;
	}
	if (in->sent < in->base)
		in->sent = in->base;
}

bool
input_told(struct input *in, const json_t *record, struct err *err)
{
	int64_t offset = js_int(record, "input", -1);
	int64_t window = js_int(record, "window", INPUT_WINDOW);

	if (js_bool(record, "closed", false))
		input_close(in);
	if (in->closed || offset < 0)
		return true;
	if (in->joins) {
		in->base = in->sent = offset;
		in->joins = false;
	}
	if (offset < in->base && js_bool(record, "resume", false)) {
		err_set(err, EXIT_IO, "io",
		    "the handler wants stdin from byte %lld on, which is gone",
		    (long long)offset);
		return false;
	}
	taken(in, offset);
	if (js_bool(record, "resume", false) || !in->open) {
		in->sent = in->base;
		in->eof_sent = false;
		in->window = window > 0 && window < INPUT_WINDOW
				 ? (size_t)window
				 : INPUT_WINDOW;
	}
	in->open = true;
	return true;
}

bool
input_over(const struct input *in)
{
	return in->closed || (in->eof_sent && in->held.len == 0);
}

bool
input_wants(const struct input *in)
{
	return in->open && !in->closed && !in->eof && in->held.len < in->window;
}

bool
input_read(struct input *in, struct err *err)
{
	char piece[INPUT_CHUNK];
	size_t room = in->window - in->held.len, front = 0;
	ssize_t n = read(
	    STDIN_FILENO, piece, room < sizeof piece ? room : sizeof piece);

	if (n == -1) {
		if (errno == EINTR || errno == EAGAIN)
			return true;
		err_set(err, EXIT_IO, "io", "stdin: %s", strerror(errno));
		return false;
	}
	if (n == 0) {
		in->eof = true;
		return true;
	}
	if (in->skip > 0) {
		front = in->skip < n ? (size_t)in->skip : (size_t)n;
		in->skip -= (int64_t)front;
	}
	buf_add(&in->held, piece + front, (size_t)n - front);
	return true;
}

static bool
put(struct ctl *ctl, const char *id, int64_t offset, const char *bytes,
    size_t len, bool eof, struct err *err)
{
	json_t *r = json_pack("{s:s, s:s, s:I}", "op", "input", "command_id",
	    id, "offset", (json_int_t)offset);
	bool ok;

	if (len > 0) {
		char *coded = str_b64(bytes, len);

		json_object_set_new(r, "data64", json_string(coded));
		free(coded);
	}
	if (eof)
		json_object_set_new(r, "eof", json_true());
	ok = ctl_send(ctl, r, err) != 0;
	json_decref(r);
	return ok;
}

bool
input_send(struct input *in, struct ctl *ctl, const char *id, struct err *err)
{
	while (in->open && !in->closed && in->sent < may_go(in)) {
		size_t at = (size_t)(in->sent - in->base);
		size_t len = (size_t)(may_go(in) - in->sent);

		if (len > INPUT_CHUNK)
			len = INPUT_CHUNK;
		if (!put(ctl, id, in->sent, in->held.bytes + at, len, false,
			err))
			return false;
		in->sent += (int64_t)len;
	}
	if (!in->open || in->closed || !in->eof || in->eof_sent ||
	    in->sent < end_of(in))
		return true;
	in->eof_sent = true;
	return put(ctl, id, in->sent, NULL, 0, true, err);
}
