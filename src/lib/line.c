#include "lib/line.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

struct line {
	size_t max, len, cap;
	bool over; /* a line passed 'max' */
	line_fn *fn;
	void *arg;
	char *text;
};

struct line *
line_new(size_t max, line_fn *fn, void *arg)
{
	struct line *l = mem_alloc(sizeof *l);

	l->max = max;
	l->fn = fn;
	l->arg = arg;
	return l;
}

void
line_free(struct line *l)
{
	if (l == NULL)
		return;
	free(l->text);
	free(l);
}

/* Room for 'more' bytes and the NUL. */
static bool
grow(struct line *l, size_t more)
{
	size_t cap = l->cap > 0 ? l->cap : 256;
	char *text;

	if (more > l->max - l->len)
		return false;
	if (more < l->cap - l->len)
		return true;
	while (cap - l->len <= more)
		cap = cap <= l->max / 2 ? cap * 2 : l->max + 1;
	text = mem_retry(l->text, cap);
	if (text == NULL)
		return false;
	l->text = text;
	l->cap = cap;
	return true;
}

static bool
keep(struct line *l, const char *bytes, size_t len)
{
	if (!grow(l, len)) {
		l->over = true;
		return false;
	}
	if (len > 0)
		memcpy(l->text + l->len, bytes, len);
	l->len += len;
	return true;
}

static bool
emit(struct line *l)
{
	size_t len = l->len;

	l->text[len] = '\0';
	l->len = 0; /* first: the callback may free 'l' */
	return l->fn(l->arg, l->text, len);
}

bool
line_feed(struct line *l, const char *bytes, size_t len)
{
	if (l->over)
		return false;
	while (len > 0) {
		const char *end = memchr(bytes, '\n', len);
		size_t n = end != NULL ? (size_t)(end - bytes) : len;

		if (!keep(l, bytes, n))
			return false;
		if (end == NULL)
			break;
		if (!emit(l))
			return false;
		bytes += n + 1;
		len -= n + 1;
	}
	return true;
}

size_t
line_pending(const struct line *l)
{
	return l->len;
}
