/*
 * jsonpeek - one value out of JSON text, without parsing all of it
 */
#include "jsonpeek.h"

#include <string.h>

static const char blank[] = " \t\r\n";

/* 'p' is at the opening quote; returns what follows the closing one. */
static const char *
skip_string(const char *p)
{
	for (p++; *p != '"' && *p != '\0'; p++)
		if (*p == '\\' && p[1] != '\0')
			p++;
	return *p == '"' ? p + 1 : p;
}

static bool
is_key(const char *string, const char *end, const char *key)
{
	size_t n = strlen(key);

	return (size_t)(end - string) == n + 2 &&
	       memcmp(string + 1, key, n) == 0 &&
	       end[strspn(end, blank)] == ':';
}

bool
jsonpeek(
    const char *p, int depth, const char *key, const char **value, size_t *len)
{
	int at = 0;

	while (*p != '\0') {
		const char *string = p;

		if (*p != '"') {
			at += *p == '{' || *p == '[';
			at -= *p == '}' || *p == ']';
			p++;
			continue;
		}
		p = skip_string(p);
		if (at != depth || !is_key(string, p, key))
			continue;
		p = strchr(p, ':') + 1;
		p += strspn(p, blank);
		*value = p;
		*len = *p == '"' ? (size_t)(skip_string(p) - p)
				 : strcspn(p, ",]} \t\r\n");
		return true;
	}
	return false;
}

bool
jsonpeek_is(const char *json, int depth, const char *key, const char *value)
{
	const char *v;
	size_t n;

	return jsonpeek(json, depth, key, &v, &n) && n == strlen(value) &&
	       memcmp(v, value, n) == 0;
}
