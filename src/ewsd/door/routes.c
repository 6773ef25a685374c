#include "ewsd/door/routes.h"

#include <string.h>

#include "ewsd/dialect/edge.h"
#include "ewsd/dialect/hub_calls.h"
#include "lib/exit.h"
#include "lib/str.h"

/* clang-format off */
static const struct route routes[] = {
	{ "WS", "/edge/ws", ROUTE_EDGE, NULL, "edge",
	    "an agent's connection; subprotocol ews.v1 for our own" },
	{ "POST", "/edge/sync", ROUTE_EDGE, edge_call_sync, "edge",
	    "an agent polls" },
	{ "POST", "/edge/command/ack", ROUTE_EDGE, edge_call_ack, "edge",
	    "an agent acknowledges a command" },
	{ "POST", "/edge/ack_command", ROUTE_EDGE, edge_call_ack, "edge",
	    "the same, by its older name" },
	{ "POST", "/edge/register", ROUTE_BODY, edge_call_register, "edge",
	    "an agent asks for its id" },
	{ "POST", "/edge/command/schedule", ROUTE_EITHER, edge_call_schedule,
	    "edge", "a message for an agent to send" },
	{ "POST", "/orchestrator/heartbeat", ROUTE_EDGE, edge_call_heartbeat,
	    "edge", "an agent is alive" },
	{ "GET", "/edge/websocket/stats", ROUTE_ADMIN, edge_call_stats, "edge",
	    "who is connected, in five numbers" },
	{ "GET", "/edge/agents/{}/status", ROUTE_ADMIN, edge_call_agent,
	    "edge", "one agent" },
	{ "GET", "/edge/agents/{}", ROUTE_ADMIN, edge_call_agent, "edge",
	    "the same" },
	{ "GET", "/health", ROUTE_OPEN, hub_call_health, "hub",
	    "is it alive?" },
	{ "GET", "/metrics", ROUTE_ADMIN, hub_call_metrics, "hub",
	    "every counter, as Prometheus text" },
	{ "POST", "/api/v1/ops/{}", ROUTE_ADMIN, hub_call_op, "hub",
	    "any operation of the control socket" },
};
/* clang-format on */
enum { ROUTES = sizeof routes / sizeof *routes };

static const char *const auth_words[] = { "open", "body", "edge", "admin",
	"edge or admin" };

static size_t
segment(const char *path)
{
	return strcspn(path, "/");
}

/* Both begin with "/". 'part' gets the segment that "{}" stands for. */
static bool
matches(const char *pattern, const char *path, char part[ROUTE_PART_SIZE])
{
	while (*pattern == '/' && *path == '/') {
		size_t a = segment(++pattern), b = segment(++path);

		if (a == 2 && memcmp(pattern, "{}", 2) == 0) {
			if (b == 0 || b >= ROUTE_PART_SIZE)
				return false;
			memcpy(part, path, b);
			part[b] = '\0';
		} else if (a != b || memcmp(pattern, path, a) != 0) {
			return false;
		}
		pattern += a;
		path += b;
	}
	return *pattern == '\0' && *path == '\0';
}

static bool
serves(const struct route *r, const char *dialect)
{
	return dialect == NULL || str_eq(r->dialect, dialect) ||
	       str_eq(r->dialect, "hub");
}

static void
allow_method(char allow[ROUTE_ALLOW_SIZE], const char *method)
{
	size_t len = strlen(allow);

	if (str_eq(method, "WS"))
		method = "GET";
	snprintf(allow + len, ROUTE_ALLOW_SIZE - len, "%s%s%s",
	    len > 0 ? ", " : "", method, str_eq(method, "GET") ? ", HEAD" : "");
}

const struct route *
route_find(const char *method, bool upgrade, const char *path,
    const char *dialect, char part[ROUTE_PART_SIZE],
    char allow[ROUTE_ALLOW_SIZE])
{
	if (upgrade)
		method = "WS";
	else if (str_eq(method, "HEAD"))
		method = "GET";
	allow[0] = part[0] = '\0';
	for (size_t i = 0; i < ROUTES; i++) {
		const struct route *r = &routes[i];

		if (!serves(r, dialect) || !matches(r->path, path, part))
			continue;
		if (str_eq(r->method, method))
			return r;
		allow_method(allow, r->method);
	}
	return NULL;
}

/* Could one path be meant for both? */
static bool
overlap(const char *a, const char *b)
{
	while (*a == '/' && *b == '/') {
		size_t n = segment(++a), m = segment(++b);
		bool any = (n == 2 && memcmp(a, "{}", 2) == 0) ||
			   (m == 2 && memcmp(b, "{}", 2) == 0);

		if (!any && (n != m || memcmp(a, b, n) != 0))
			return false;
		a += n;
		b += m;
	}
	return *a == *b;
}

bool
routes_distinct(const struct route *list, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			const struct route *a = &list[i], *b = &list[j];

			if (!str_eq(a->method, b->method) ||
			    !overlap(a->path, b->path))
				continue;
			err_set(err, EXIT_INTERNAL, "internal",
			    "two handlers for %s %s and %s", a->method, a->path,
			    b->path);
			return false;
		}
	}
	return true;
}

bool
routes_ok(struct err *err)
{
	return routes_distinct(routes, ROUTES, err);
}

void
routes_describe(FILE *out)
{
	for (size_t i = 0; i < ROUTES; i++) {
		const struct route *r = &routes[i];

		fprintf(out, "%-5s %-25s %-14s %-5s %s\n", r->method, r->path,
		    auth_words[r->auth], r->dialect, r->help);
	}
}
