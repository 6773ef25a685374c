#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "net/gate.h"

const char *
gate_header(const struct head *h, const char *name)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		if (str_ieq(h->headers[i].name, name))
			return h->headers[i].value;
	}
	return NULL;
}

char *
gate_query(const struct head *h, const char *name)
{
	const char *p = h->query;
	size_t name_len = strlen(name);

	for (;;) {
		size_t len = strcspn(p, "&");

		if (len > name_len && p[name_len] == '=' &&
		    strncmp(p, name, name_len) == 0) {
			char *value =
			    mem_dupn(p + name_len + 1, len - name_len - 1);

			if (str_unpercent(value))
				return value;
			free(value);
			return NULL;
		}
		if (p[len] == '\0')
			return NULL;
		p += len + 1;
	}
}

bool
gate_list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (list != NULL && *list != '\0') {
		size_t len;

		list += strspn(list, " \t,");
		len = strcspn(list, " \t,");
		if (len == n && strncasecmp(list, word, n) == 0)
			return true;
		list += len;
	}
	return false;
}

/* Copies "name" of "name", "name:port", "[v6]:port"; false if malformed. */
static bool
host_name(char *out, size_t size, const char *host)
{
	const char *end;
	size_t len;

	if (*host == '[') {
		end = strchr(++host, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
	} else {
		end = host + strcspn(host, ":");
		if (*end == ':' && strchr(end + 1, ':') != NULL)
			return false;
	}
	len = (size_t)(end - host);
	if (len == 0 || len >= size)
		return false;
	memcpy(out, host, len);
	out[len] = '\0';
	return true;
}

static bool
is_address(const char *name)
{
	unsigned char octets[16];

	return inet_pton(AF_INET, name, octets) == 1 ||
	       inet_pton(AF_INET6, name, octets) == 1;
}

bool
gate_host_ok(const struct head *h, const char *const *names)
{
	const char *host = gate_header(h, "Host");
	char name[256];

	if (host == NULL || !host_name(name, sizeof name, host))
		return false;
	if (is_address(name) || str_ieq(name, "localhost"))
		return true;
	for (; names != NULL && *names != NULL; names++) {
		if (str_ieq(name, *names))
			return true;
	}
	return false;
}

/* Compares two "host[:port]", where 'port' may be left out. */
static bool
same_place(const char *a, const char *b, const char *port)
{
	size_t na = strlen(a), nb = strlen(b), np = strlen(port);

	if (na > np && strcmp(a + na - np, port) == 0)
		na -= np;
	if (nb > np && strcmp(b + nb - np, port) == 0)
		nb -= np;
	return na == nb && strncasecmp(a, b, na) == 0;
}

bool
gate_origin_ok(const struct head *h, const char *const *origins)
{
	const char *origin = gate_header(h, "Origin");
	const char *host = gate_header(h, "Host");

	if (origin == NULL)
		return true;
	for (; origins != NULL && *origins != NULL; origins++) {
		if (strcmp(*origins, "*") == 0 || str_ieq(origin, *origins))
			return true;
	}
	if (host == NULL)
		return false;
	if (str_starts(origin, "http://"))
		return same_place(origin + 7, host, ":80");
	if (str_starts(origin, "https://"))
		return same_place(origin + 8, host, ":443");
	return false;
}
