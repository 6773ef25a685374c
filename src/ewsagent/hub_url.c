#include "ewsagent/hub_url.h"

#include <stdlib.h>
#include <string.h>

#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/str.h"

static const struct scheme {
	const char *prefix;
	bool tls;
} schemes[] = {
	{ "http://", false },
	{ "ws://", false },
	{ "https://", true },
	{ "wss://", true },
};

static bool
wrong(struct err *err, const char *why)
{
	err_set(err, EXIT_CONFIG, "config", "hub: %s", why);
	return false;
}

/* "HOST[:PORT]" or "[v6][:PORT]": where does the host end? NULL if never. */
static const char *
host_end(const char *authority, const char *end)
{
	const char *p;

	if (*authority == '[') {
		p = memchr(authority, ']', (size_t)(end - authority));
		return p != NULL ? p + 1 : NULL;
	}
	p = memchr(authority, ':', (size_t)(end - authority));
	return p != NULL ? p : end;
}

static bool
port_ok(const char *colon, const char *end)
{
	char digits[6] = "";
	uint64_t port;
	size_t len = (size_t)(end - colon);

	if (len == 0)
		return true;
	if (*colon != ':' || len > sizeof digits)
		return false;
	memcpy(digits, colon + 1, len - 1);
	return str_u64(digits, 1, 65535, &port);
}

static bool
is_loopback(const char *host, size_t len)
{
	char name[64] = "";

	if (len == 0 || len >= sizeof name)
		return false;
	memcpy(name, host, len);
	return str_ieq(name, "localhost") || str_eq(name, "[::1]") ||
	       (str_starts(name, "127.") && strspn(name, "0123456789.") == len);
}

/* Anything that could end a header line, or be read in two ways. */
static bool
is_clean(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f ||
		    strchr("@?#\\\"<>^`{|}", *s) != NULL)
			return false;
	return true;
}

/* Checks authority and path; tells the length without the tail that we add
 * ourselves, 0 if wrong. */
static size_t
measure(struct hub_url *u, const char *rest, struct err *err)
{
	const char *end = rest + strcspn(rest, "/");
	const char *host = host_end(rest, end);
	size_t len = strlen(rest);

	if (!is_clean(rest)) {
		wrong(err, "no user name, query or space belongs into the URL");
		return 0;
	}
	if (host == NULL || host == rest || !port_ok(host, end)) {
		wrong(err, "the URL has no good HOST or HOST:PORT");
		return 0;
	}
	u->loopback = is_loopback(rest, (size_t)(host - rest));
	while (len > 0 && rest[len - 1] == '/')
		len--;
	if (len > 8 && memcmp(rest + len - 8, "/edge/ws", 8) == 0)
		len -= 8;
	return len;
}

bool
hub_url_init(
    struct hub_url *u, const char *url, const char *agent_id, struct err *err)
{
	const struct scheme *s = NULL;
	const char *rest;
	size_t len;
	char *id;

	memset(u, 0, sizeof *u);
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_starts(url, schemes[i].prefix))
			s = &schemes[i];
	if (s == NULL)
		return wrong(err,
		    "the URL begins with none of http://, https://, ws://, "
		    "wss://");
	rest = url + strlen(s->prefix);
	len = measure(u, rest, err);
	if (len == 0)
		return false;
	u->tls = s->tls;
	u->base = mem_printf(
	    "%s%.*s", s->tls ? "https://" : "http://", (int)len, rest);
	id = str_percent(agent_id);
	u->ws = mem_printf("%s%.*s/edge/ws?edge_agent_id=%s",
	    s->tls ? "wss://" : "ws://", (int)len, rest, id);
	free(id);
	return true;
}

void
hub_url_fini(struct hub_url *u)
{
	free(u->base);
	free(u->ws);
	memset(u, 0, sizeof *u);
}

char *
hub_url_http(const struct hub_url *u, const char *path)
{
	return mem_printf("%s%s", u->base, path);
}
