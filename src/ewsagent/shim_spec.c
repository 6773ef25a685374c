#include "ewsagent/shim_spec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"

static const char version[] = "ews-spec 1";

struct reader {
	char *at;
	char *end; /* its NUL */
	bool ok;
};

static void
add(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text) + 1);
}

static void
add_number(struct buf *b, uint64_t n)
{
	buf_printf(b, "%" PRIu64, n);
	buf_add(b, "", 1);
}

static void
add_list(struct buf *b, char *const *list)
{
	size_t n = 0;

	while (list[n] != NULL)
		n++;
	add_number(b, n);
	for (size_t i = 0; i < n; i++)
		add(b, list[i]);
}

void
shim_spec_text(const struct shim_spec *s, struct buf *b)
{
	add(b, version);
	add(b, s->path);
	add(b, s->cwd);
	add_number(b, s->stdin_stream);
	add_number(b, s->deadline_ms > 0 ? (uint64_t)s->deadline_ms : 0);
	add_number(b, s->grace_ms > 0 ? (uint64_t)s->grace_ms : 0);
	add_number(b, s->output_max);
	add_list(b, s->argv);
	add_list(b, s->env);
	add(b, version); /* so that a torn one is noticed */
}

static char *
take(struct reader *r)
{
	char *text = r->at;

	if (!r->ok || r->at >= r->end) {
		r->ok = false;
		return r->end; /* a NUL */
	}
	r->at += strlen(r->at) + 1;
	return text;
}

static uint64_t
take_number(struct reader *r, uint64_t max)
{
	uint64_t n = 0;

	r->ok = str_u64(take(r), 0, max, &n) && r->ok;
	return n;
}

static char **
take_list(struct reader *r)
{
	/* each takes a byte at least */
	size_t n = take_number(r, (uint64_t)(r->end - r->at));
	char **list = mem_alloc((n + 1) * sizeof *list);

	for (size_t i = 0; i < n; i++)
		list[i] = take(r);
	return list;
}

/* argv and env want strings that are not const. */
bool
shim_spec_parse(struct shim_spec *s,
    char *text, /* NOLINT(readability-non-const-parameter) */
    size_t len)
{
	struct reader r = { text, text + len, true };

	memset(s, 0, sizeof *s);
	if (!str_eq(take(&r), version))
		return false;
	s->path = take(&r);
	s->cwd = take(&r);
	s->stdin_stream = take_number(&r, 1) == 1;
	s->deadline_ms = (int64_t)take_number(&r, INT64_MAX / 2);
	s->grace_ms = (int64_t)take_number(&r, INT64_MAX / 2);
	s->output_max = take_number(&r, UINT64_MAX);
	s->argv = take_list(&r);
	s->env = take_list(&r);
	return str_eq(take(&r), version) && r.ok;
}
