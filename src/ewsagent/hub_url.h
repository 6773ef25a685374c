/*
 * hub_url - what the one setting "hub" means for each way to the hub
 *
 * http and ws, https and wss are the same here; a path in front of
 * /edge/... is kept, for hubs behind a proxy. User names, queries and
 * fragments are refused: no secret belongs into a URL (DESIGN 8).
 */
#ifndef EWS_EWSAGENT_HUB_URL_H
#define EWS_EWSAGENT_HUB_URL_H

#include <stdbool.h>

#include "lib/err.h"

struct hub_url {
	char *base; /* http(s)://HOST[:PORT][/PATH], no "/" at the end */
	char *ws; /* ws(s)://...../edge/ws?edge_agent_id=ID */
	bool tls, loopback;
};

/* False with err (config). */
bool hub_url_init(
    struct hub_url *, const char *url, const char *agent_id, struct err *);
void hub_url_fini(struct hub_url *);

/* Gives base + "/edge/sync" and the like. */
char *hub_url_http(const struct hub_url *, const char *path);

#endif
