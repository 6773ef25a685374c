#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "net/ws_priv.h"

char *
attempt_place(const char *text, size_t len, int *port)
{
	const char *end = text + len, *colon = NULL, *name = text;
	size_t name_len = len;
	uint64_t number;
	char *digits;
	bool ok = true;

	if (len > 0 && *text == '[') {
		const char *close = memchr(text, ']', len);

		if (close == NULL || (close + 1 < end && close[1] != ':'))
			return NULL;
		name++;
		name_len = (size_t)(close - name);
		colon = close + 1 < end ? close + 1 : NULL;
	} else if ((colon = memchr(text, ':', len)) != NULL) {
		name_len = (size_t)(colon - text);
	}
	if (colon != NULL) {
		digits = mem_dupn(colon + 1, (size_t)(end - colon - 1));
		ok = str_u64(digits, 1, 65535, &number);
		free(digits);
		*port = ok ? (int)number : 0;
	}
	if (!ok || name_len == 0 || name_len > 253 ||
	    memchr(name, '@', name_len) != NULL)
		return NULL;
	return mem_dupn(name, name_len);
}

bool
attempt_url(struct ws_attempt *a, const char *url)
{
	static const struct {
		const char *start;
		bool tls;
	} schemes[] = { { "ws://", false }, { "wss://", true },
		{ "http://", false }, { "https://", true } };

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		const char *rest;
		size_t len;

		if (!str_starts(url, schemes[i].start))
			continue;
		rest = url + strlen(schemes[i].start);
		len = strcspn(rest, "/?#");
		a->tls = schemes[i].tls;
		a->port = a->tls ? 443 : 80;
		a->name = attempt_place(rest, len, &a->port);
		rest += len;
		if (strpbrk(rest, "# \t\r\n") != NULL)
			return false;
		a->path =
		    *rest == '/' ? mem_dup(rest) : mem_printf("/%s", rest);
		return a->name != NULL;
	}
	return false;
}

char *
attempt_headers(const char *const *lines)
{
	struct buf b;

	buf_init(&b, GATE_HEAD_MAX);
	for (; lines != NULL && *lines != NULL; lines++) {
		if (strpbrk(*lines, "\r\n") == NULL)
			buf_printf(&b, "%s\r\n", *lines);
	}
	return buf_take(&b, NULL);
}
