#include "lib/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

enum { FIRST_CAP = 256 };

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof *b);
	b->max = max;
}

void
buf_fini(struct buf *b)
{
	free(b->bytes);
	buf_init(b, b->max);
}

/* Room for 'more' bytes and the NUL. */
static bool
grow(struct buf *b, size_t more)
{
	size_t cap = b->cap > 0 ? b->cap : FIRST_CAP;
	char *bytes;

	if (b->failed || more > b->max - b->len)
		goto fail;
	if (b->bytes != NULL && more < b->cap - b->len)
		return true;
	while (cap - b->len <= more)
		cap = cap <= b->max / 2 ? cap * 2 : b->max + 1;
	bytes = mem_retry(b->bytes, cap);
	if (bytes == NULL)
		goto fail;
	b->bytes = bytes;
	b->cap = cap;
	return true;
fail:
	b->failed = true;
	return false;
}

void
buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (!grow(b, len))
		return;
	if (len > 0)
		memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
	b->bytes[b->len] = '\0';
}

void
buf_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		b->failed = true;
	if (len < 0 || !grow(b, (size_t)len))
		return;
	va_start(ap, fmt);
	vsnprintf(b->bytes + b->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)len;
}

static void
add_escape(struct buf *b, unsigned char c)
{
	static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	size_t i;

	for (i = 0; named[i] != '\0'; i += 2)
		if ((unsigned char)named[i] == c) {
			buf_printf(b, "\\%c", named[i + 1]);
			return;
		}
	buf_printf(b, "\\u%04x", c);
}

void
buf_json(struct buf *b, const char *bytes, size_t len)
{
	size_t start = 0, i;

	buf_add(b, "\"", 1);
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, bytes + start, i - start);
		add_escape(b, c);
		start = i + 1;
	}
	buf_add(b, bytes + start, len - start);
	buf_add(b, "\"", 1);
}

void
buf_drop(struct buf *b, size_t front)
{
	if (front > b->len)
		front = b->len;
	if (front == 0)
		return;
	b->len -= front;
	memmove(b->bytes, b->bytes + front, b->len + 1);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->bytes != NULL)
		b->bytes[0] = '\0';
}

char *
buf_take(struct buf *b, size_t *len)
{
	char *bytes;

	buf_add(b, "", 0); /* an empty text is a text, too */
	if (b->failed) {
		buf_fini(b);
		return NULL;
	}
	bytes = b->bytes;
	if (len != NULL)
		*len = b->len;
	b->bytes = NULL;
	buf_fini(b);
	return bytes;
}
