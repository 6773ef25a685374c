#include "lib/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No stdio here: it may want memory. */
static void
die(void)
{
	static const char text[] = "out of memory\n";
	ssize_t n = write(2, text, sizeof text - 1);

	(void)n;
	abort();
}

void *
mem_try(size_t size)
{
	return calloc(1, size > 0 ? size : 1);
}

void *
mem_retry(void *old, size_t size)
{
	return realloc(old, size > 0 ? size : 1);
}

void *
mem_alloc(size_t size)
{
	void *p = mem_try(size);

	if (p == NULL)
		die();
	return p;
}

void *
mem_realloc(void *old, size_t size)
{
	void *p = mem_retry(old, size);

	if (p == NULL)
		die();
	return p;
}

char *
mem_dup(const char *text)
{
	return text == NULL ? NULL : mem_dupn(text, strlen(text));
}

char *
mem_dupn(const char *bytes, size_t len)
{
	char *copy = mem_alloc(len + 1);

	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

char *
mem_printf(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		die();
	text = mem_alloc((size_t)len + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}
