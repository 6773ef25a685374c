/*
 * raw - stdin to a TCP or TLS port as it is, the answer to stdout
 */
#include "raw.h"

#include <stdio.h>

#include "number.h"

enum { CLOSED = 0, TIMEOUT = 4, RESET = 5 };

static void
read_stdin(struct bytes *b, bool hex)
{
	struct bytes text = { 0 };
	struct bytes *into = hex ? &text : b;
	size_t n;

	while ((n = fread(bytes_room(into, 65536), 1, 65536, stdin)) > 0)
		into->len += n;
	if (!hex)
		return;
	*bytes_room(&text, 1) = '\0';
	unhex(text.at, b);
	bytes_fini(&text);
}

static void
print(struct wire *w)
{
	if (w->in.len == 0)
		return;
	fwrite(w->in.at, 1, w->in.len, stdout);
	fflush(stdout);
	bytes_eat(&w->in, w->in.len);
}

/* One octet at a time, and a look at the answer after each. */
static void
send_slowly(struct wire *w, struct bytes *b, long ms, int64_t deadline)
{
	while (b->len > 0 && w->end == WIRE_OPEN) {
		int64_t pause = wire_in_ms(ms);

		if (deadline != WIRE_FOREVER && wire_now() >= deadline)
			return;
		if (!wire_write(w, b->at, 1, deadline))
			return;
		bytes_eat(b, 1);
		while (wire_fill(w, pause))
			print(w);
	}
}

static int
verdict(const struct wire *w, int64_t began)
{
	static const char *const word[] = { "timeout", "closed", "reset" };
	static const int status[] = { TIMEOUT, CLOSED, RESET };

	fprintf(
	    stderr, "%s %lld\n", word[w->end], (long long)(wire_now() - began));
	return status[w->end];
}

int
raw_run(const struct raw *r)
{
	struct bytes b = { 0 };
	struct wire w;
	int64_t began, deadline;
	int status;

	read_stdin(&b, r->hex);
	deadline = wire_in_ms(r->limit_ms);
	began = wire_now();
	wire_open(&w, &r->to, deadline);
	if (r->slow_ms > 0)
		send_slowly(&w, &b, r->slow_ms, deadline);
	else
		wire_write(&w, b.at, b.len, deadline);
	if (r->half_close && w.end == WIRE_OPEN)
		wire_shut(&w);
	print(&w);
	while (wire_fill(&w, deadline))
		print(&w);
	status = verdict(&w, began);
	wire_fini(&w);
	bytes_fini(&b);
	return status;
}
