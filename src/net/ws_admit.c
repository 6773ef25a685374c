#include <string.h>

#include "lib/log.h"
#include "lib/str.h"
#include "net/ws_priv.h"

static bool
is_trusted(const struct ws_host *host, const char *address)
{
	const char *const *p = host->config.trusted_proxies;

	for (; p != NULL && *p != NULL; p++) {
		if (strcmp(*p, address) == 0)
			return true;
	}
	return false;
}

/* From the right; true: one that no proxy of ours added. */
static bool
take_rightmost(
    const struct ws_host *host, const char *list, struct ws_peer *peer)
{
	for (const char *end = list + strlen(list); end > list;) {
		const char *start;
		char address[sizeof peer->address];
		size_t len;

		while (end > list && strchr(" \t,", end[-1]) != NULL)
			end--;
		for (start = end; start > list && start[-1] != ',' &&
				  start[-1] != ' ' && start[-1] != '\t';)
			start--;
		len = (size_t)(end - start);
		if (len == 0 || len >= sizeof address)
			return true;
		memcpy(address, start, len);
		address[len] = '\0';
		str_copy(peer->address, sizeof peer->address, address);
		if (!is_trusted(host, address))
			return true;
		end = start;
	}
	return false;
}

/* Some proxies add a line of their own below what the client sent: the
 * last line counts first. */
static void
forwarded(
    const struct ws_host *host, const struct head *head, struct ws_peer *peer)
{
	if (!is_trusted(host, peer->address))
		return;
	for (size_t i = head->n_headers; i > 0; i--) {
		const struct gate_header *h = &head->headers[i - 1];

		if (str_ieq(h->name, "X-Forwarded-For") &&
		    take_rightmost(host, h->value, peer))
			return;
	}
}

static bool
speaks_any(const struct ws_host *host, const char *offered)
{
	const char *const *p = host->config.subprotocols;

	for (; p != NULL && *p != NULL; p++) {
		if (gate_list_has(offered, *p))
			return true;
	}
	return false;
}

/* The library would hang up on a list that it knows nothing of. */
static void
choose(
    const struct ws_host *host, const struct head *head, struct ws_verdict *v)
{
	const char *offered = gate_header(head, "Sec-WebSocket-Protocol");

	if (v->subprotocol != NULL && !gate_list_has(offered, v->subprotocol))
		v->subprotocol = NULL;
	if (offered != NULL && !speaks_any(host, offered)) {
		v->status = 400;
		str_copy(v->why, sizeof v->why,
		    "None of the offered subprotocols is spoken here.");
	}
}

bool
ws_admit(struct ws_host *host, const struct head *head, struct ws_peer *peer,
    struct ws_verdict *v)
{
	int64_t max;
	void *who;

	memset(v, 0, sizeof *v);
	forwarded(host, head, peer);
	host->config.events->admit(host->config.arg, head, peer, v);
	if (v->status != 0)
		return false;
	who = v->who;
	max = v->body_max > 0 ? v->body_max : (int64_t)host->config.max_body;
	if (head->upgrade) {
		choose(host, head, v);
	} else if (head->content_length > max) {
		v->status = 413;
		str_copy(v->why, sizeof v->why, "The body is too large.");
	}
	if (v->status == 0)
		return true;
	if (host->config.events->who_gone != NULL)
		host->config.events->who_gone(host->config.arg, who);
	return false;
}

void
ws_refused(struct ws_host *host, const struct ws_peer *peer, int status,
    const char *why)
{
	log_limited("refused", LOG_DEBUG, "refused %s: %d %s", peer->address,
	    status, why);
	if (host->config.events->refused != NULL)
		host->config.events->refused(
		    host->config.arg, peer, status, why);
}

bool
ws_overloaded(const struct ws_host *host)
{
	return ws_host_count(host) >= host->config.max_conns ||
	       host->n_pending >= host->config.max_pending;
}
