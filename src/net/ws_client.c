#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "net/ws_priv.h"

static void
release(struct ws_attempt *a)
{
	uv_freeaddrinfo(a->addresses);
	free(a->name);
	free(a->path);
	free(a->subprotocol);
	free(a->headers);
	free(a->proxy_name);
	free(a);
}

/* No event comes after this. The library's socket, if any, is cut off. */
static void
drop(struct ws_attempt *a)
{
	struct lws *wsi = a->link.wsi;
	struct ws_host *host = a->link.host;

	DL_DELETE(host->attempts, a);
	timer_free(a->watchdog);
	timer_free(a->soon);
	a->gone = true;
	if (wsi != NULL) {
		lws_set_opaque_user_data(wsi, NULL);
		lws_set_timeout(
		    wsi, PENDING_TIMEOUT_CLOSE_ACK, LWS_TO_KILL_SYNC);
		ws_nudge(host);
	}
	if (a->dns_busy)
		uv_cancel((uv_req_t *)&a->dns); /* its callback releases */
	else
		release(a);
}

static void
fail(struct ws_attempt *a)
{
	struct ws_client_events events = a->events;
	void *arg = a->arg;
	int status = a->status;
	int64_t retry_after = a->retry_after;
	char why[sizeof a->why];

	str_copy(why, sizeof why, a->why);
	drop(a);
	events.failed(arg, status, retry_after, why);
}

/* Notes why and lets the loop tell it. */
static void
fail_soon(struct ws_attempt *a)
{
	a->failed = true;
	timer_set(a->soon, 0);
}

/* The Host header: the port only where it is not the usual one. */
static void
host_text(char *out, size_t size, const struct ws_attempt *a)
{
	bool v6 = strchr(a->name, ':') != NULL;

	if (a->port == (a->tls ? 443 : 80))
		snprintf(out, size, v6 ? "[%s]" : "%s", a->name);
	else
		snprintf(out, size, v6 ? "[%s]:%d" : "%s:%d", a->name, a->port);
}

/* A proxy belongs to a vhost: one for each that was ever used. */
static struct lws_vhost *
vhost_of(struct ws_attempt *a)
{
	struct ws_host *host = a->link.host;
	bool v6 = strchr(a->address, ':') != NULL;
	struct lws_vhost *vhost;
	char name[96], *proxy = name + 1;

	if (a->proxy_name == NULL)
		return host->client;
	name[0] = '#';
	snprintf(proxy, sizeof name - 1, v6 ? "[%s]:%d" : "%s:%d", a->address,
	    a->proxy_port);
	vhost = lws_get_vhost_by_name(host->context, name);
	return vhost != NULL ? vhost : ws_vhost(host, proxy, NULL, NULL, proxy);
}

/* With a proxy, the address is its own and it looks up the name. */
static void
try_address(struct ws_attempt *a)
{
	struct lws_client_connect_info info;
	char host[300];
	struct lws *wsi;

	host_text(host, sizeof host, a);
	memset(&info, 0, sizeof info);
	info.context = a->link.host->context;
	info.vhost = vhost_of(a);
	info.address = a->proxy_name != NULL ? a->name : a->address;
	info.port = a->port;
	info.host = host;
	info.path = a->path;
	info.protocol = a->subprotocol;
	info.local_protocol_name = "-";
	info.alpn = "http/1.1";
	info.ssl_connection =
	    LCCSCF_HTTP_NO_FOLLOW_REDIRECT | (a->tls ? LCCSCF_USE_SSL : 0);
	info.ietf_version_or_minus_one = -1;
	info.opaque_user_data = a;
	snprintf(a->why, sizeof a->why, "cannot connect to %s port %d",
	    a->proxy_name != NULL ? a->proxy_name : a->name,
	    a->proxy_name != NULL ? a->proxy_port : a->port);
	a->failed = false;
	wsi = info.vhost != NULL ? lws_client_connect_via_info(&info) : NULL;
	if (wsi == NULL)
		fail_soon(a); /* also if it told us so itself */
	else if (!a->failed)
		a->link.wsi = wsi;
	ws_nudge(a->link.host);
}

/* True if there was another address to try. */
static bool
try_next(struct ws_attempt *a)
{
	struct addrinfo *next = a->next_address;

	if (next == NULL)
		return false;
	a->next_address = next->ai_next;
	if (getnameinfo(next->ai_addr, next->ai_addrlen, a->address,
		sizeof a->address, NULL, 0, NI_NUMERICHOST) != 0)
		return try_next(a);
	try_address(a);
	return true;
}

/* Whoever was reached at all has given the answer; else the next. */
static void
on_soon(void *arg)
{
	struct ws_attempt *a = arg;

	if (a->status != 0 || !try_next(a))
		fail(a);
}

static void
on_watchdog(void *arg)
{
	struct ws_attempt *a = arg;

	snprintf(a->why, sizeof a->why, "no answer from %s port %d within %d s",
	    a->name, a->port, (int)((a->timeout_ms + 999) / 1000));
	fail(a);
}

static void
on_resolved(uv_getaddrinfo_t *dns, int status, struct addrinfo *list)
{
	struct ws_attempt *a = dns->data;

	a->dns_busy = false;
	a->addresses = a->next_address = list;
	if (a->gone) {
		release(a);
		return;
	}
	if (status != 0)
		snprintf(a->why, sizeof a->why, "cannot find %s: %s",
		    a->proxy_name != NULL ? a->proxy_name : a->name,
		    uv_strerror(status));
	if (status != 0 || !try_next(a))
		fail_soon(a);
}

/* The library's words come without an end. */
static void
note_error(struct ws_attempt *a, const char *in, size_t len)
{
	SSL *ssl = a->tls ? (SSL *)lws_get_ssl(a->link.wsi) : NULL;
	long verdict = ssl != NULL ? SSL_get_verify_result(ssl) : X509_V_OK;
	size_t at = strlen(a->why);

	a->status = (int)lws_http_client_http_response(a->link.wsi);
	if (a->status != 0)
		snprintf(a->why, sizeof a->why, "%s port %d answered %d %s",
		    a->name, a->port, a->status, http_reason(a->status));
	else if (verdict != X509_V_OK)
		snprintf(a->why, sizeof a->why,
		    "the certificate of %s is not good: %s", a->name,
		    X509_verify_cert_error_string(verdict));
	else if (in != NULL && len > 0)
		snprintf(
		    a->why + at, sizeof a->why - at, " (%.*s)", (int)len, in);
}

static void
lost(struct ws_attempt *a)
{
	lws_set_opaque_user_data(a->link.wsi, NULL);
	a->link.wsi = NULL;
	fail_soon(a);
}

static int
append_headers(struct ws_attempt *a, unsigned char **at, size_t room)
{
	size_t len = strlen(a->headers);

	a->link.host->serv_buf = *at + room + 12 - WS_SERV_BUF;
	if (len > room)
		return -1;
	memcpy(*at, a->headers, len);
	*at += len;
	return 0;
}

static void
note_answer(struct ws_attempt *a)
{
	char value[32];
	uint64_t seconds;

	a->retry_after = -1;
	if (lws_hdr_copy(a->link.wsi, value, sizeof value,
		WSI_TOKEN_HTTP_RETRY_AFTER) > 0 &&
	    str_u64(value, 0, 86400, &seconds))
		a->retry_after = (int64_t)seconds * 1000;
	if (lws_hdr_copy(a->link.wsi, a->chosen, sizeof a->chosen,
		WSI_TOKEN_PROTOCOL) < 0)
		a->chosen[0] = '\0';
}

static void
establish(struct ws_attempt *a)
{
	struct ws_client_events events = a->events;
	struct lws *wsi = a->link.wsi;
	struct ws *ws;

	ws = ws_new(a->link.host, wsi, a->chosen);
	ws->client = true;
	ws->user = a->arg;
	ws->message = events.message;
	ws->closed = events.closed;
	lws_set_opaque_user_data(wsi, ws);
	lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
	a->link.wsi = NULL;
	drop(a);
	events.open(ws->user, ws);
}

int
attempt_event(struct ws_attempt *a, enum lws_callback_reasons reason, void *in,
    size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return append_headers(a, in, len);
	case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
		note_answer(a);
		return 0;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		establish(a);
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		note_error(a, in, len);
		lost(a);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		lost(a);
		return 0;
	default:
		return 0;
	}
}

struct ws_attempt *
ws_connect(struct ws_host *host, const struct ws_connect *want, struct err *err)
{
	struct ws_attempt *a = mem_alloc(sizeof *a);
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	bool ok;

	a->link = (struct ws_link){ KIND_ATTEMPT, host, NULL };
	a->events = *want->events;
	a->arg = want->arg;
	a->retry_after = -1;
	a->timeout_ms = want->timeout_ms;
	a->subprotocol = mem_dup(want->subprotocol);
	a->headers = attempt_headers(want->headers);
	a->proxy_port = 8080;
	ok = attempt_url(a, want->url) && a->headers != NULL;
	if (ok && want->proxy != NULL) {
		a->proxy_name = attempt_place(
		    want->proxy, strlen(want->proxy), &a->proxy_port);
		ok = a->proxy_name != NULL;
	}
	if (!ok) {
		err_set(err, EXIT_CONFIG, "config",
		    "not a WebSocket URL, headers or proxy: %s", want->url);
		release(a);
		return NULL;
	}
	a->watchdog = timer_new(host->config.loop, on_watchdog, a);
	a->soon = timer_new(host->config.loop, on_soon, a);
	timer_set(a->watchdog, want->timeout_ms);
	DL_APPEND(host->attempts, a);
	a->dns.data = a;
	a->dns_busy =
	    uv_getaddrinfo(loop_uv(host->config.loop), &a->dns, on_resolved,
		a->proxy_name != NULL ? a->proxy_name : a->name, NULL,
		&hints) == 0;
	if (!a->dns_busy)
		fail_soon(a);
	return a;
}

void
ws_attempt_cancel(struct ws_attempt *a)
{
	if (a != NULL)
		drop(a);
}

void
attempts_free(struct ws_host *host)
{
	while (host->attempts != NULL)
		drop(host->attempts);
}
