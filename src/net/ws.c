#include "net/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "net/ws_priv.h"

enum {
	/* for the store, the control socket, and those that are refused */
	FD_RESERVE = 512,
	FD_RESERVE_MIN = 64,
	LWS_SECONDS = 60, /* its time-outs; ours are shorter */
	LWS_HEADER = 20000
};

/* Bound by whoever offers no subprotocol; nobody offers it. */
#define NO_PROTOCOL "-"

static char first_line[256];

const char *
ws_log_why(void)
{
	return first_line;
}

void
ws_log_reset(void)
{
	first_line[0] = '\0';
}

/* Its lines look like "[2026/11/21 10:00:00:0000] E: text\n". */
static void
on_log(int level, const char *line)
{
	const char *text = strchr(line, ']');
	size_t len;

	text = text != NULL && strlen(text) > 5 ? text + 5 : line;
	len = strcspn(text, "\n");
	if (first_line[0] == '\0')
		snprintf(first_line, sizeof first_line, "%.*s", (int)len, text);
	log_limited("libwebsockets", level == LLL_ERR ? LOG_WARN : LOG_DEBUG,
	    "libwebsockets: %s", log_qn(text, len));
}

static bool
is_ours(enum lws_callback_reasons reason)
{
	switch (reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
	case LWS_CALLBACK_ADD_HEADERS:
	case LWS_CALLBACK_ESTABLISHED:
	case LWS_CALLBACK_HTTP:
	case LWS_CALLBACK_HTTP_BODY:
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
	case LWS_CALLBACK_RAW_ADOPT:
	case LWS_CALLBACK_RAW_RX:
	case LWS_CALLBACK_RECEIVE:
	case LWS_CALLBACK_RECEIVE_PONG:
	case LWS_CALLBACK_SERVER_WRITEABLE:
	case LWS_CALLBACK_CLOSED:
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
	case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
	case LWS_CALLBACK_CLIENT_RECEIVE:
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
	case LWS_CALLBACK_CLIENT_WRITEABLE:
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		return true;
	default:
		return false;
	}
}

int
ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
    void *in, size_t len)
{
	struct ws_link *link;

	(void)user;
	if (!is_ours(reason)) /* others come with half a wsi, or none */
		return 0;
	link = lws_get_opaque_user_data(wsi);
	if (link == NULL)
		return 0;
	if (link->wsi == NULL)
		link->wsi = wsi;
	switch (link->kind) {
	case KIND_SOCK:
		return sock_event((struct sock *)link, reason, in, len);
	case KIND_WS:
		return ws_event((struct ws *)link, reason, in, len);
	case KIND_ATTEMPT:
		return attempt_event(
		    (struct ws_attempt *)link, reason, in, len);
	}
	return 0;
}

int64_t
ws_now(const struct ws_host *host)
{
	return clock_mono(host->config.clock);
}

int64_t
ws_loop_now(const struct ws_host *host)
{
	return (int64_t)uv_now(loop_uv(host->config.loop));
}

void
ws_nudge(struct ws_host *host)
{
	if (!host->stopping)
		lws_cancel_service(host->context);
}

static void
on_turn(void *arg)
{
	struct ws_host *host = arg;

	ws_turn(host);
	socks_turn(host);
	guests_turn(host);
}

static void
on_sweep(void *arg)
{
	struct ws_host *host = arg;
	int64_t now = ws_loop_now(host);

	host->choked = false;
	guests_sweep(host, now);
	socks_sweep(host, now);
	if (host->guests != NULL || host->socks != NULL)
		timer_set(
		    host->sweep, host->choked ? WS_SWEEP_SOON_MS : WS_SWEEP_MS);
}

static rlim_t
reserve_of(rlim_t limit)
{
	rlim_t part = limit / 4;

	return part > FD_RESERVE       ? FD_RESERVE
	       : part < FD_RESERVE_MIN ? FD_RESERVE_MIN
				       : part;
}

/* As many descriptors as the connections need, and no more: the library
 * walks a table of that size at every close. Where the system allows
 * fewer, there are fewer connections, and descriptors for all else (ABUSE
 * 94). */
static void
fit_descriptors(struct ws_host *host)
{
	rlim_t wanted = (rlim_t)host->config.max_conns + FD_RESERVE, reserve;
	struct rlimit limit;

	host->max_lingering = FD_RESERVE / 4;
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	if (limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur =
		    limit.rlim_max < wanted ? limit.rlim_max : wanted;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	reserve = reserve_of(limit.rlim_cur);
	host->max_lingering = (unsigned)(reserve / 4);
	if (limit.rlim_cur <= reserve ||
	    host->config.max_conns <= limit.rlim_cur - reserve)
		return;
	host->config.max_conns = (unsigned)(limit.rlim_cur - reserve);
	log_warn("only %u connections: the limit on open files is %llu",
	    host->config.max_conns, (unsigned long long)limit.rlim_cur);
}

static struct lws_protocols *
make_protocols(const char *const *names)
{
	size_t n = 1;
	struct lws_protocols *list;

	while (names != NULL && names[n - 1] != NULL)
		n++;
	list = mem_alloc((n + 1) * sizeof *list);
	for (size_t i = 0; i < n; i++) {
		list[i].name = i == 0 ? NO_PROTOCOL : names[i - 1];
		list[i].callback = ws_callback;
		list[i].rx_buffer_size = i == 0 ? WS_RX_PLAIN : WS_RX_SIZE;
		list[i].tx_packet_size = WS_TX_MAX;
	}
	return list;
}

static void
fill_info(struct ws_host *host, struct lws_context_creation_info *info)
{
	static const lws_retry_bo_t no_validity; /* the wheel pings */

	memset(info, 0, sizeof *info);
	info->options = LWS_SERVER_OPTION_LIBUV |
			LWS_SERVER_OPTION_VALIDATE_UTF8 |
			LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	info->port = CONTEXT_PORT_NO_LISTEN_SERVER;
	info->foreign_loops = host->foreign;
	info->protocols = host->protocols;
	info->gid = (gid_t)-1;
	info->uid = (uid_t)-1;
	info->alpn = "http/1.1"; /* HTTP/2 is out of the question */
	info->retry_and_idle_policy = &no_validity;
	info->pt_serv_buf_size = WS_SERV_BUF;
	info->max_http_header_data = LWS_HEADER;
	info->max_http_header_pool = 1024;
	info->timeout_secs = LWS_SECONDS;
	info->timeout_secs_ah_idle = LWS_SECONDS;
	info->keepalive_timeout = LWS_SECONDS;
	info->connect_timeout_secs = LWS_SECONDS;
	/* or it would take the environment's, even for loopback; port 0
	 * means none */
	info->http_proxy_address = "none:0";
}

/* The library keeps the pointer. It also picks another vhost of ours when
 * a client names one: "#" keeps host names out of that. */
static const char *
keep_name(struct ws_host *host, const char *name)
{
	struct ws_name *n = mem_alloc(sizeof *n + strlen(name) + 2);

	n->next = host->names;
	host->names = n;
	snprintf(n->text, strlen(name) + 2, "#%s", name);
	return n->text;
}

struct lws_vhost *
ws_vhost(struct ws_host *host, const char *name, const char *cert,
    const char *key, const char *proxy)
{
	struct lws_context_creation_info info;

	fill_info(host, &info);
	info.vhost_name = keep_name(host, name);
	info.ssl_cert_filepath = cert;
	info.ssl_private_key_filepath = key;
	if (host->plain != NULL && cert == NULL) { /* a client's */
		info.port = CONTEXT_PORT_NO_LISTEN;
		info.client_ssl_ca_filepath = host->config.ca_file;
	}
	if (proxy != NULL)
		info.http_proxy_address = proxy;
	return lws_create_vhost(host->context, &info);
}

struct ws_host *
ws_host_new(const struct ws_config *config, struct err *err)
{
	struct ws_host *host = mem_alloc(sizeof *host);
	struct lws_context_creation_info info;

	host->config = *config;
	host->config.ca_file = host->ca_file = mem_dup(config->ca_file);
	fit_descriptors(host);
	host->foreign[0] = loop_uv(config->loop);
	host->protocols = make_protocols(config->subprotocols);
	host->scratch = mem_alloc(LWS_PRE + WS_SCRATCH);
	lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
	ws_log_reset();
	fill_info(host, &info);
	host->context = lws_create_context(&info);
	if (host->context != NULL)
		host->plain = ws_vhost(host, "plain", NULL, NULL, NULL);
	if (host->plain != NULL)
		host->client = ws_vhost(host, "client", NULL, NULL, NULL);
	host->sweep = timer_new(config->loop, on_sweep, host);
	host->wheel = timer_new(config->loop, ws_wheel_tick, host);
	loop_after_turn(config->loop, on_turn, host);
	if (host->client != NULL)
		return host;
	err_set(err, EXIT_CONFIG, "config",
	    "cannot start libwebsockets (is its libuv plugin installed, "
	    "libwebsockets-evlib-uv?): %s",
	    first_line);
	ws_host_free(host);
	return NULL;
}

static void
look_for_closing(uv_handle_t *handle, void *arg)
{
	if (uv_is_closing(handle))
		*(bool *)arg = true;
}

static void
run_closings(struct ws_host *host)
{
	uv_loop_t *uv = loop_uv(host->config.loop);
	bool closing;

	do {
		closing = false;
		uv_run(uv, UV_RUN_NOWAIT);
		uv_walk(uv, look_for_closing, &closing);
	} while (closing);
}

void
ws_host_free(struct ws_host *host)
{
	if (host == NULL)
		return;
	for (struct ws_listener *l = host->listeners; l != NULL; l = l->next)
		ws_listener_close(l);
	guests_free(host);
	attempts_free(host);
	host->stopping = true;
	timer_free(host->sweep);
	timer_free(host->wheel);
	loop_drop_after_turn(host->config.loop, on_turn, host);
	if (host->context != NULL) {
		/* the first closes, the second frees (a foreign loop) */
		lws_context_destroy(host->context);
		run_closings(host);
		lws_context_destroy(host->context);
	}
	run_closings(host);
	socks_free(host);
	listeners_free(host);
	while (host->names != NULL) {
		struct ws_name *n = host->names;

		host->names = n->next;
		free(n);
	}
	free(host->ca_file);
	free(host->protocols);
	free(host->scratch);
	free(host);
}

unsigned
ws_host_count(const struct ws_host *host)
{
	return host->n_guests + host->n_socks + host->n_servers;
}
