#include <string.h>

#include "lib/json.h"

/* A place in a text that was parsed before: what must come does come, but
 * never past 'end', in case it was not. */
struct cursor {
	const char *at, *end;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
skip_space(struct cursor *c)
{
	while (c->at < c->end && is_space(*c->at))
		c->at++;
}

static bool
skip_char(struct cursor *c, char expected)
{
	skip_space(c);
	if (c->at >= c->end || *c->at != expected)
		return false;
	c->at++;
	return true;
}

/* From the opening quote to behind the closing one. */
static void
skip_string(struct cursor *c)
{
	for (c->at++; c->at < c->end && *c->at != '"'; c->at++)
		if (*c->at == '\\' && c->end - c->at > 1)
			c->at++;
	if (c->at < c->end)
		c->at++;
}

/* One value, whatever it is: to the comma or bracket that ends it. */
static void
skip_value(struct cursor *c)
{
	unsigned depth = 0;

	while (c->at < c->end) {
		char b = *c->at;

		if (b == '"') {
			skip_string(c);
			continue;
		}
		if (depth == 0 && (b == ',' || b == '}' || b == ']'))
			return;
		if (b == '{' || b == '[')
			depth++;
		else if (b == '}' || b == ']')
			depth--;
		c->at++;
	}
}

static bool
same_key(const char *quoted, size_t len, const char *key)
{
	json_t *text;
	bool same;

	if (memchr(quoted, '\\', len) == NULL)
		return len - 2 == strlen(key) &&
		       memcmp(quoted + 1, key, len - 2) == 0;
	text = json_loadb(quoted, len, JSON_DECODE_ANY, NULL);
	same = text != NULL && strcmp(json_string_value(text), key) == 0;
	json_decref(text);
	return same;
}

const char *
js_span(const char *text, size_t len, const char *key, size_t *span_len)
{
	struct cursor c = { text, text + len };

	if (!skip_char(&c, '{'))
		return NULL;
	do {
		const char *name, *value, *end;
		size_t name_len;

		skip_space(&c);
		if (c.at >= c.end || *c.at != '"')
			return NULL;
		name = c.at;
		skip_string(&c);
		name_len = (size_t)(c.at - name);
		if (name_len < 2 || !skip_char(&c, ':'))
			return NULL;
		skip_space(&c);
		value = c.at;
		skip_value(&c);
		for (end = c.at; end > value && is_space(end[-1]);)
			end--;
		if (same_key(name, name_len, key)) {
			*span_len = (size_t)(end - value);
			return value;
		}
	} while (skip_char(&c, ','));
	return NULL;
}
