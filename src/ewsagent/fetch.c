#include "ewsagent/fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/buf.h"
#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "net/timer.h"

struct fetch {
	struct fetch_config config;
	CURLM *multi;
	struct timer *timer; /* when libcurl wants to be called */
	struct fetch_call *calls;
	uint64_t count;
};

struct fetch_call {
	struct fetch_call *prev, *next;
	struct fetch *fetch;
	CURL *easy;
	struct curl_slist *headers;
	char *body;
	struct buf answer;
	char why[CURL_ERROR_SIZE];
	fetch_fn *fn;
	void *arg;
};

/* One descriptor that libcurl watches. */
struct watch {
	uv_poll_t uv;
	struct fetch *fetch;
	curl_socket_t fd;
};

/* ---- libcurl on libuv ---------------------------------------------- */

static void
free_call(struct fetch_call *c)
{
	DL_DELETE(c->fetch->calls, c);
	curl_multi_remove_handle(c->fetch->multi, c->easy);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	buf_fini(&c->answer);
	free(c->body);
	free(c);
}

static int64_t
retry_after(CURL *easy)
{
	curl_off_t seconds = 0;

	if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) !=
		CURLE_OK ||
	    seconds <= 0)
		return -1;
	return seconds < 86400 ? (int64_t)seconds * 1000 : 86400000;
}

static void
finish(struct fetch_call *c, CURLcode code)
{
	struct fetch_answer a = {
		.why = c->why, .body = "", .retry_after_ms = -1
	};
	fetch_fn *fn = c->fn;
	void *arg = c->arg;
	char why[CURL_ERROR_SIZE];
	struct buf body;
	long status = 0;

	if (c->answer.failed) {
		a.why = "the answer is too large";
	} else if (code != CURLE_OK) {
		if (c->why[0] == '\0')
			a.why = curl_easy_strerror(code);
	} else {
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		a.status = (int)status;
		a.retry_after_ms = retry_after(c->easy);
	}
	if (c->answer.len > 0) {
		a.body = c->answer.bytes;
		a.len = c->answer.len;
	}
	/* the call is gone before 'fn' runs, which may begin and cancel
	 * others; what 'fn' is lent lives on here */
	body = c->answer;
	buf_init(&c->answer, 0);
	str_copy(why, sizeof why, a.why);
	a.why = why;
	free_call(c);
	fn(arg, &a);
	buf_fini(&body);
}

static void
look(struct fetch *f)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(f->multi, &left)) != NULL) {
		struct fetch_call *c = NULL;
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &c);
		finish(c, code);
	}
}

static void
on_timer(void *arg)
{
	struct fetch *f = arg;
	int running;

	curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look(f);
}

static int
want_timer(CURLM *multi, long ms, void *arg)
{
	struct fetch *f = arg;

	(void)multi;
	if (ms < 0)
		timer_stop(f->timer);
	else
		timer_set(f->timer, ms);
	return 0;
}

static void
on_ready(uv_poll_t *uv, int status, int events)
{
	struct watch *w = uv->data;
	struct fetch *f = w->fetch;
	int what = 0, running;

	if (status < 0)
		what = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		what |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		what |= CURL_CSELECT_OUT;
	curl_multi_socket_action(f->multi, w->fd, what, &running);
	look(f); /* 'w' may be closing by now */
}

static void
free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watch *
watch_new(struct fetch *f, curl_socket_t fd)
{
	struct watch *w = mem_alloc(sizeof *w);

	w->fetch = f;
	w->fd = fd;
	w->uv.data = w;
	if (uv_poll_init_socket(loop_uv(f->config.loop), &w->uv, fd) != 0) {
		free(w);
		return NULL;
	}
	curl_multi_assign(f->multi, fd, w);
	return w;
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct fetch *f = arg;
	struct watch *w = known;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(f->multi, fd, NULL);
		if (w != NULL) {
			uv_poll_stop(&w->uv);
			uv_close((uv_handle_t *)&w->uv, free_watch);
		}
		return 0;
	}
	if (w == NULL)
		w = watch_new(f, fd);
	if (w == NULL)
		return -1;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return uv_poll_start(&w->uv, events, on_ready) == 0 ? 0 : -1;
}

/* ---- one call ------------------------------------------------------ */

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct fetch_call *c = arg;

	buf_add(&c->answer, bytes, size * n);
	return c->answer.failed ? 0 : size * n;
}

static void
set_transport(CURL *e, const struct fetch_config *cfg)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(
	    e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)cfg->connect_ms);
	/* "" also hides http_proxy and its like from libcurl */
	curl_easy_setopt(
	    e, CURLOPT_PROXY, cfg->proxy != NULL ? cfg->proxy : "");
	if (cfg->ca_file != NULL)
		curl_easy_setopt(e, CURLOPT_CAINFO, cfg->ca_file);
}

static CURL *
make_easy(struct fetch_call *c, const char *url, size_t len, int64_t ms)
{
	CURL *e = curl_easy_init();

	if (e == NULL)
		abort();
	set_transport(e, &c->fetch->config);
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "ewsagent/" EWS_VERSION);
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, c->body);
	curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)ms);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->why);
	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	return e;
}

struct fetch_call *
fetch_post(struct fetch *f, const char *url, const char *const *headers,
    char *body, size_t len, int64_t timeout_ms, fetch_fn *fn, void *arg)
{
	struct fetch_call *c = mem_alloc(sizeof *c);

	c->fetch = f;
	c->fn = fn;
	c->arg = arg;
	c->body = body;
	buf_init(&c->answer, f->config.answer_max);
	c->headers = curl_slist_append(NULL, "Content-Type: application/json");
	/* no round trip before the body */
	c->headers = curl_slist_append(c->headers, "Expect:");
	for (; *headers != NULL; headers++)
		c->headers = curl_slist_append(c->headers, *headers);
	c->easy = make_easy(c, url, len, timeout_ms);
	DL_APPEND(f->calls, c);
	f->count++;
	curl_multi_add_handle(f->multi, c->easy);
	return c;
}

void
fetch_cancel(struct fetch_call *c)
{
	if (c != NULL)
		free_call(c);
}

uint64_t
fetch_count(const struct fetch *f)
{
	return f->count;
}

/* ---- life ---------------------------------------------------------- */

struct fetch *
fetch_new(const struct fetch_config *config, struct err *err)
{
	struct fetch *f = mem_alloc(sizeof *f);

	f->config = *config;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (f->multi = curl_multi_init()) == NULL) {
		err_set(
		    err, EXIT_INTERNAL, "internal", "libcurl does not start");
		free(f);
		return NULL;
	}
	f->timer = timer_new(config->loop, on_timer, f);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	return f;
}

void
fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	while (f->calls != NULL)
		free_call(f->calls);
	curl_multi_cleanup(f->multi);
	timer_free(f->timer);
	free(f);
	curl_global_cleanup();
}
