#include "lib/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/str.h"

/* One line, and no half character where it was cut. */
static void
tidy(char *text)
{
	size_t len = strlen(text);

	text[str_utf8_cut(text, len)] = '\0';
	for (; *text != '\0'; text++)
		if (*text == '\n' || *text == '\r')
			*text = ' ';
}

void
err_set(struct err *err, int status, const char *code, const char *fmt, ...)
{
	va_list ap;

	assert(status != 0 && code != NULL);
	if (err == NULL || err->status != 0)
		return;
	err->status = status;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	tidy(err->text);
}

void
err_prefix(struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	size_t len;
	va_list ap;

	if (err == NULL || err->status == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	len = strlen(text);
	str_copy(text + len, sizeof text - len, ": ");
	len = strlen(text);
	str_copy(text + len, sizeof text - len, err->text);
	memcpy(err->text, text, sizeof text);
	tidy(err->text);
}

void
err_clear(struct err *err)
{
	if (err == NULL)
		return;
	err->status = 0;
	err->code = "ok";
	err->text[0] = '\0';
}

bool
err_isset(const struct err *err)
{
	return err != NULL && err->status != 0;
}
