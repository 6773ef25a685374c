/* The same over TLS: there the library reads the heads. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>

#include "scratch.h"
#include "ws_kit.h"

static void
add_extension(X509 *crt, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	X509_add_ext(crt, e, -1);
	X509_EXTENSION_free(e);
}

/* A self-signed certificate: DIR/NAME.crt and DIR/NAME.key. */
static void
make_certificate(struct scratch *s, const char *name, const char *names)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *crt = X509_new();
	X509_NAME *subject = X509_get_subject_name(crt);
	char path[1024];
	FILE *f;

	X509_set_version(crt, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(crt), (long)name[0]);
	X509_gmtime_adj(X509_getm_notBefore(crt), -60);
	X509_gmtime_adj(X509_getm_notAfter(crt), 3600);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(crt, subject);
	X509_set_pubkey(crt, key);
	add_extension(crt, NID_subject_alt_name, names);
	add_extension(crt, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(crt, key, EVP_sha256()) > 0);
	snprintf(path, sizeof path, "%s/%s.crt", s->dir, name);
	f = fopen(path, "w");
	PEM_write_X509(f, crt);
	fclose(f);
	snprintf(path, sizeof path, "%s/%s.key", s->dir, name);
	f = fopen(path, "w");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(crt);
	EVP_PKEY_free(key);
}

static struct world *
tls_world_with(struct scratch *s, struct ws_config c, const char *names)
{
	static char crt[1024], key[1024];

	make_certificate(s, "a", names);
	snprintf(crt, sizeof crt, "%s/a.crt", s->dir);
	snprintf(key, sizeof key, "%s/a.key", s->dir);
	c.ca_file = crt;
	return world_with(&c, crt, key);
}

static struct world *
tls_world(struct scratch *s)
{
	return tls_world_with(s, base_config, "DNS:localhost,IP:127.0.0.1");
}

/* A bare TLS peer. */
struct bare {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};

static void
tls_turn(struct world *w)
{
	uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
	poll(NULL, 0, 1);
	assert_false(w->expired);
}

static struct bare
tls_connect(struct world *w)
{
	struct bare b = { SSL_CTX_new(TLS_client_method()), NULL,
		bare_connect(w) };

	b.ssl = SSL_new(b.ctx);
	SSL_set_fd(b.ssl, b.fd);
	SSL_set_tlsext_host_name(b.ssl, "localhost");
	while (SSL_connect(b.ssl) != 1)
		tls_turn(w);
	return b;
}

static void
tls_free(struct bare *b)
{
	SSL_free(b->ssl);
	SSL_CTX_free(b->ctx);
	close(b->fd);
}

static void
tls_send(struct world *w, struct bare *b, const char *text)
{
	while (SSL_write(b->ssl, text, (int)strlen(text)) <= 0)
		tls_turn(w);
}

static char *
tls_read(struct world *w, struct bare *b, size_t *len)
{
	struct buf got;

	buf_init(&got, 64 << 20);
	for (;;) {
		char bytes[16384];
		int n = SSL_read(b->ssl, bytes, sizeof bytes);

		if (n > 0) {
			buf_add(&got, bytes, (size_t)n);
			continue;
		}
		n = SSL_get_error(b->ssl, n);
		if (n != SSL_ERROR_WANT_READ && n != SSL_ERROR_WANT_WRITE)
			break;
		tls_turn(w);
	}
	ERR_clear_error();
	return buf_take(&got, len);
}

static char *
tls_exchange(struct world *w, const char *text)
{
	struct bare b = tls_connect(w);
	char *got;

	tls_send(w, &b, text);
	got = tls_read(w, &b, NULL);
	tls_free(&b);
	return got;
}

static void
a_message_goes_through_tls(void **state)
{
	struct world *w = tls_world(*state);
	char *text = mem_alloc(BIG);

	dial(w, "wss", "localhost", "/edge/ws?x=1", "ews.v1");
	w->select = "ews.v1";
	WAIT(w, w->client.opened || w->client.failed);
	if (w->client.failed)
		fail_msg("%s", w->client.reason);
	assert_string_equal(w->client.subprotocol, "ews.v1");
	memset(text, 'x', BIG);
	memcpy(text, "echo ", 5);
	say(&w->client, text, BIG);
	WAIT(w, w->client.messages == 1);
	assert_int_equal(w->client.got_len, BIG - 5);
	assert_memory_equal(w->client.got, text + 5, BIG - 5);
	ws_close(w->server.ws, 1012, "Service Restart");
	WAIT(w, w->client.closed);
	assert_int_equal(w->client.code, 1012);
	free(text);
	world_free(w);
}

static void
an_unknown_certificate_is_refused_with_its_reason(void **state)
{
	struct world *w = tls_world_with(*state, base_config, "DNS:other");

	dial(w, "wss", "localhost", "/", NULL);
	WAIT(w, w->client.opened || w->client.failed);
	assert_true(w->client.failed);
	assert_int_equal(w->client.status, 0);
	assert_non_null(strstr(w->client.reason, "hostname mismatch"));
	assert_int_equal(w->admitted, 0);
	world_free(w);
}

static void
a_refusal_through_tls_tells_its_status(void **state)
{
	struct world *w = tls_world(*state);

	w->verdict = 503;
	dial(w, "wss", "127.0.0.1", "/", NULL);
	WAIT(w, w->client.failed);
	assert_int_equal(w->client.status, 503);
	assert_int_equal(w->client.retry_after, 7000);
	WAIT(w, ws_host_count(w->host) == 0);
	world_free(w);
}

static void
requests_through_tls_are_answered(void **state)
{
	static const struct {
		const char *request, *seen;
		int status;
	} cases[] = {
		{ "GET /a%20b HTTP/1.1\r\nHost: h\r\n\r\n", "/a b ", 200 },
		{ "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "/ ", 200 },
		{ "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n", "/ ", 200 },
		{ "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
		  "hello",
		    "/p hello", 200 },
		{ "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		    "/p ", 200 },
		{ "PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab",
		    "/p ab", 200 },
		{ "PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		    "/p ", 200 },
		{ "DELETE /p HTTP/1.1\r\nHost: h\r\n\r\n", "/p ", 200 },
		{ "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
		  "Upgrade: h2c\r\n\r\n",
		    "/ ", 200 },
		{ "POST /p HTTP/1.1\r\nHost: h\r\n\r\n", "", 411 },
		{ "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked"
		  "\r\n\r\n0\r\n\r\n",
		    "", 411 },
		{ "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 1001"
		  "\r\n\r\nabc",
		    "", 413 },
		{ "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n",
		    "", 400 },
		{ "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
		  "Content-Length: 30\r\n\r\nabc",
		    "", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "", 400 },
		{ "GET / HTTP/1.1\r\n\r\n", "", 400 },
		{ "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
		  "Connection: Upgrade\r\nSec-WebSocket-Version: 12\r\n"
		  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		    "", 426 },
		{ "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
		  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		  "Sec-WebSocket-Key: abc\r\n\r\n",
		    "", 400 },
	};
	struct world *w = tls_world(*state);

	for (size_t i = 0; i < N_OF(cases); i++) {
		char *got;

		w->body[0] = '\0';
		got = tls_exchange(w, cases[i].request);
		/* libwebsockets 5 answers some by itself, as HTTP/1.0 */
		if (!str_starts(got, "HTTP/1.") ||
		    atoi(got + 9) != cases[i].status)
			fail_msg("case %zu: %s", i, got);
		if (str_starts(got, "HTTP/1.1"))
			assert_non_null(
			    strstr(got, "\r\nConnection: close\r\n"));
		assert_string_equal(w->body, cases[i].seen);
		free(got);
	}
	WAIT(w, ws_host_count(w->host) == 0);
	world_free(w);
}

static void
pipelined_requests_through_tls_are_not_taken(void **state)
{
	static const char *const pairs[] = {
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
		"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"
		"0123456789",
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"
		"0123456789",
		"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
		"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ndef",
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n"
		"Host: h\r\nUpgrade: foo\r\n\r\n",
	};
	struct world *w = tls_world(*state);

	for (size_t i = 0; i < N_OF(pairs); i++) {
		char *got;

		w->requests = 0;
		got = tls_exchange(w, pairs[i]);
		assert_true(str_starts(got, "HTTP/1.1 200 "));
		assert_null(strstr(got + 10, "HTTP/1.1"));
		assert_int_equal(w->requests, 1);
		assert_true(str_starts(w->body, "/1"));
		free(got);
	}
	world_free(w);
}

static void
a_large_answer_comes_through_tls(void **state)
{
	struct world *w = tls_world(*state);
	struct bare b = tls_connect(w);
	size_t len;
	char *got;

	w->answer_size = 9 << 20;
	tls_send(w, &b, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < 50; i++) /* a slow reader */
		tls_turn(w);
	got = tls_read(w, &b, &len);
	assert_true(len > w->answer_size);
	free(got);
	tls_free(&b);
	world_free(w);
}

static void
late_answers_and_early_leavers_through_tls(void **state)
{
	struct world *w = tls_world(*state);
	struct bare b = tls_connect(w);
	char *got;

	w->late = true;
	tls_send(
	    w, &b, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
	WAIT(w, w->request != NULL);
	for (int i = 0; i < 20; i++)
		tls_turn(w);
	http_answer(w->request, 200, "text/plain", "late", 4);
	got = tls_read(w, &b, NULL);
	assert_true(str_ends(got, "late"));
	free(got);
	tls_free(&b);
	w->request = NULL;
	b = tls_connect(w);
	tls_send(w, &b, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	WAIT(w, w->request != NULL);
	tls_free(&b);
	WAIT(w, w->request_gone);
	WAIT(w, ws_host_count(w->host) == 0);
	world_free(w);
}

static void
silence_on_tls_ends_at_the_deadline(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	struct bare b;
	int fd;

	c.head_ms = 100;
	c.body_ms = 100;
	w = tls_world_with(*state, c, "DNS:localhost");
	fd = bare_connect(w);
	free(bare_read(w, fd, NULL, NULL));
	close(fd);
	b = tls_connect(w);
	tls_send(w, &b, "GET / HT");
	free(tls_read(w, &b, NULL));
	tls_free(&b);
	b = tls_connect(w);
	tls_send(
	    w, &b, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{}");
	free(tls_read(w, &b, NULL));
	tls_free(&b);
	assert_int_equal(w->requests, 0);
	assert_int_equal(w->who_gone, 1);
	WAIT(w, ws_host_count(w->host) == 0);
	world_free(w);
}

static long
serial_of(struct world *w)
{
	struct bare b = tls_connect(w);
	X509 *crt = SSL_get1_peer_certificate(b.ssl);
	long serial = ASN1_INTEGER_get(X509_get0_serialNumber(crt));

	X509_free(crt);
	tls_free(&b);
	return serial;
}

static void
a_reload_serves_the_new_certificate_and_keeps_the_old_peers(void **state)
{
	struct scratch *s = *state;
	struct world *w = tls_world(s);
	char path[2048], to[2048];
	struct err err = ERR_INIT;
	FILE *f;

	dial(w, "wss", "localhost", "/", NULL);
	WAIT(w, w->server.opened && w->client.opened);
	assert_int_equal(serial_of(w), 'a');
	make_certificate(s, "b", "DNS:localhost");
	for (int i = 0; i < 2; i++) {
		const char *end = i == 0 ? "crt" : "key";

		snprintf(path, sizeof path, "%s/b.%s", s->dir, end);
		snprintf(to, sizeof to, "%s/a.%s", s->dir, end);
		assert_int_equal(rename(path, to), 0);
	}
	assert_true(ws_listener_reload(w->listener, &err));
	assert_int_equal(serial_of(w), 'b');
	f = fopen(to, "w");
	fputs("rubbish", f);
	fclose(f);
	assert_false(ws_listener_reload(w->listener, &err));
	assert_true(err_isset(&err));
	assert_int_equal(serial_of(w), 'b');
	say(&w->client, "echo still", 10);
	WAIT(w, w->client.messages == 1);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_message_goes_through_tls),
		SCRATCH_TEST(an_unknown_certificate_is_refused_with_its_reason),
		SCRATCH_TEST(a_refusal_through_tls_tells_its_status),
		SCRATCH_TEST(requests_through_tls_are_answered),
		SCRATCH_TEST(pipelined_requests_through_tls_are_not_taken),
		SCRATCH_TEST(a_large_answer_comes_through_tls),
		SCRATCH_TEST(late_answers_and_early_leavers_through_tls),
		SCRATCH_TEST(silence_on_tls_ends_at_the_deadline),
		SCRATCH_TEST(
		    a_reload_serves_the_new_certificate_and_keeps_the_old_peers),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(tests);
}
