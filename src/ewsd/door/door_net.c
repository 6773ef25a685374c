#include "ewsd/door/door_net.h"

#include <stdlib.h>
#include <string.h>

#include "ewsd/core/client.h"
#include "ewsd/door/door_priv.h"
#include "ewsd/door/listen_spec.h"
#include "ewsd/settings.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

static const struct ws_events events = {
	.admit = door_admit,
	.who_gone = door_who_gone,
	.request = door_request,
	.open = door_ws_open,
	.message = door_ws_message,
	.closed = door_ws_closed,
	.refused = door_refused,
};

static const char **
list_of(const struct conf *conf, size_t setting)
{
	size_t n = conf_count(conf, setting);
	const char **list = mem_alloc((n + 1) * sizeof(const char *));

	for (size_t i = 0; i < n; i++)
		list[i] = conf_item(conf, setting, i);
	return list;
}

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static struct ws_host *
make_host(struct door_net *d, struct err *err)
{
	const struct conf *conf = d->config.conf;
	struct ws_config c = {
		.loop = d->config.loop,
		.clock = d->config.clock,
		.events = &events,
		.arg = d,
		.subprotocols = edge_subprotocols,
		.max_message = (size_t)conf_int(conf, SET_max_message),
		/* each route has its own limit below this */
		.max_body = (size_t)larger(conf_int(conf, SET_max_body),
		    conf_int(conf, SET_max_message)),
		.max_conns = (unsigned)conf_int(conf, SET_max_connections),
		.max_pending = (unsigned)conf_int(conf, SET_max_pending),
		.head_ms = conf_int(conf, SET_head_timeout),
		.body_ms = conf_int(conf, SET_body_timeout),
		.ping_ms = conf_int(conf, SET_ping_interval),
		/* our own agents' silence is the dialect's matter */
		.dead_ms = larger(conf_int(conf, SET_edge_silence),
		    conf_int(conf, SET_silence)),
		.max_fragments = 1000,
		.max_pings = 100,
		.trusted_proxies = d->proxies,
	};

	return ws_host_new(&c, err);
}

static void
on_turn(void *arg)
{
	edge_turn(arg);
}

struct door_net *
door_net_new(const struct door_net_config *config, struct err *err)
{
	struct edge_config ec = { config->core, config->auth, config->conf };
	struct door_net *d;

	if (!routes_ok(err))
		return NULL;
	d = mem_alloc(sizeof *d);
	d->config = *config;
	d->host_names = list_of(config->conf, SET_host_names);
	d->origins = list_of(config->conf, SET_origins);
	d->proxies = list_of(config->conf, SET_trusted_proxy);
	d->edge = edge_new(&ec);
	/* before the host's own, which writes what this one queues */
	loop_after_turn(config->loop, on_turn, d->edge);
	d->host = make_host(d, err);
	if (d->host != NULL)
		return d;
	door_net_free(d);
	return NULL;
}

void
door_net_free(struct door_net *d)
{
	if (d == NULL)
		return;
	ws_host_free(d->host);
	loop_drop_after_turn(d->config.loop, on_turn, d->edge);
	edge_free(d->edge);
	free(d->host_names);
	free(d->origins);
	free(d->proxies);
	free(d);
}

/* ---- listeners -------------------------------------------------------- */

static bool
may_listen(struct door_net *d, const struct listen_spec *s, const char *spec,
    struct err *err)
{
	if (d->n_listeners == DOOR_LISTENERS_MAX)
		return listen_spec_bad(spec, "too many listeners", err);
	if (auth_made(d->config.auth) && !listen_spec_loopback(s))
		return listen_spec_bad(spec,
		    "only loopback is served until you choose a secret "
		    "(EDGE_SECRET or --secret-file)",
		    err);
	return true;
}

bool
door_net_listen(struct door_net *d, const char *spec, struct err *err)
{
	const struct conf *conf = d->config.conf;
	struct ws_listen l = { 0 };
	struct ws_listener *made;
	struct listen_spec s;

	if (!listen_spec_read(&s, spec, conf, err) ||
	    !may_listen(d, &s, spec, err))
		return false;
	l.host = s.host;
	l.port = s.port;
	l.dialect = s.dialect;
	if (s.tls) {
		l.tls_cert = conf_str(conf, SET_tls_cert);
		l.tls_key = conf_str(conf, SET_tls_key);
	}
	made = ws_listen(d->host, &l, err);
	if (made == NULL)
		return false;
	d->listeners[d->n_listeners++] = made;
	log_info(
	    "listening on %s%s", ws_listener_name(made), s.tls ? " (tls)" : "");
	return true;
}

json_t *
door_net_names(struct door_net *d)
{
	json_t *names = json_array();

	for (size_t i = 0; i < d->n_listeners; i++)
		json_array_append_new(
		    names, json_string(ws_listener_name(d->listeners[i])));
	return names;
}

bool
door_net_reload(struct door_net *d, struct err *err)
{
	bool ok = true;

	for (size_t i = 0; i < d->n_listeners; i++)
		ok &= ws_listener_reload(d->listeners[i], err);
	return ok;
}

void
door_net_stop_listening(struct door_net *d)
{
	for (size_t i = 0; i < d->n_listeners; i++)
		ws_listener_close(d->listeners[i]);
	d->n_listeners = 0;
}

void
door_net_goodbye(struct door_net *d)
{
	edge_goodbye(d->edge);
}

unsigned
door_net_live(struct door_net *d)
{
	return ws_host_count(d->host);
}

void
door_net_tick(struct door_net *d)
{
	edge_tick(d->edge);
}

void
door_net_describe_routes(FILE *out)
{
	routes_describe(out);
}

bool
door_net_routes_ok(struct err *err)
{
	return routes_ok(err);
}
