/*
 * ws_wheel - one timer for the pings and deadlines of all WebSockets
 *
 * Each tick looks at one bucket, so that ten thousand pings do not leave
 * at once; each connection is looked at once a second, or more often
 * where the intervals are short.
 */
#include <utlist.h>

#include "net/ws_priv.h"

enum { LOOK_MAX_MS = 1000, TICK_MIN_MS = 2 };

static void
look(struct ws *ws, int64_t now)
{
	const struct ws_config *config = &ws->link.host->config;

	if (!ws_has_output(ws))
		ws->moved = now;
	if (ws->state != WS_OPEN) {
		if (now >= ws->deadline)
			ws_finish(ws);
	} else if (now - ws->heard >= config->dead_ms) {
		ws_close(ws, 1011, "keepalive ping timeout");
	} else if (now - ws->moved >= config->dead_ms) {
		/* it talks, and reads nothing (ABUSE 28) */
		ws_close(ws, 1013, "reads too slowly");
	} else if (ws->fragments > 0 && now - ws->in_since >= WS_ASSEMBLE_MS) {
		ws_close(ws, 1008, "message too slow");
	} else if (now - ws->heard >= config->ping_ms &&
		   now - ws->pinged >= config->ping_ms) {
		ws->pinged = now;
		ws_ping(ws);
	}
}

static bool
any_left(const struct ws_host *host)
{
	for (unsigned i = 0; i < WS_BUCKETS; i++) {
		if (host->buckets[i] != NULL)
			return true;
	}
	return false;
}

void
ws_wheel_tick(void *arg)
{
	struct ws_host *host = arg;
	int64_t now = ws_now(host);
	struct ws *ws, *next;

	host->wheel_now = now;
	DL_FOREACH_SAFE (host->buckets[host->turn % WS_BUCKETS], ws, next)
		look(ws, now);
	host->turn++;
	if (any_left(host))
		timer_set(host->wheel, host->wheel_ms);
}

void
ws_wheel_start(struct ws_host *host)
{
	int64_t look_ms = host->config.ping_ms < host->config.dead_ms
			      ? host->config.ping_ms
			      : host->config.dead_ms;

	if (timer_active(host->wheel))
		return;
	host->wheel_now = ws_now(host);
	look_ms /= 4;
	if (look_ms > LOOK_MAX_MS)
		look_ms = LOOK_MAX_MS;
	host->wheel_ms = look_ms / WS_BUCKETS > TICK_MIN_MS
			     ? look_ms / WS_BUCKETS
			     : TICK_MIN_MS;
	timer_set(host->wheel, host->wheel_ms);
}
