/*
 * gate - reads the head of an HTTP/1 request and judges its form
 *
 * The library behind us accepts far too much (DESIGN 5, ABUSE A, D), so
 * every head passes here first: on plain listeners the raw bytes, on TLS
 * listeners what the library's tokens still show. Pure functions: no
 * socket, no clock. RFC 9110, 9112; RFC 6455 section 4.2.1.
 */
#ifndef EWS_NET_GATE_H
#define EWS_NET_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GATE_HEADERS_MAX = 100, GATE_HEAD_MAX = 16384, GATE_TARGET_MAX = 8192 };

struct gate_header {
	char *name, *value; /* value trimmed */
};

/* One block of memory; strings are NUL-terminated inside it. */
struct head {
	char *method;
	char *target; /* as sent */
	char *path; /* percent-decoded, without query; no ".." */
	char *query; /* raw, without "?"; "" if none */
	int minor; /* HTTP/1.x */
	struct gate_header *headers;
	size_t n_headers;
	bool upgrade; /* a WebSocket handshake */
	int64_t content_length; /* -1: none given */
};

struct gate_refusal {
	int status; /* 0: passed */
	const char *why; /* a static sentence for the problem document */
	const char *header; /* an extra header line or NULL:
				 * "Sec-WebSocket-Version: 13" */
};

/* Where does the head end? > 0: its length with the blank line; 0: not all
 * there yet; < 0: minus the HTTP status that refuses it. 'seen' bytes were
 * looked at before. */
long gate_end(const char *bytes, size_t len, size_t seen);

/* Parses one whole head; gives it, or NULL with the refusal. */
struct head *gate_parse(const char *bytes, size_t len, struct gate_refusal *);

/* An empty head to be filled from tokens (TLS): copies its arguments. */
struct head *gate_head_new(
    const char *method, const char *target, int minor, struct gate_refusal *);
bool gate_head_add(struct head *, const char *name, const char *value);

/* Judges method, version, Host, lengths, and the handshake; sets upgrade
 * and content_length. 'body_max' is the largest Content-Length. */
bool gate_judge(struct head *, int64_t body_max, struct gate_refusal *);
void gate_head_free(struct head *);

/* By name, any case; NULL. Lent. */
const char *gate_header(const struct head *, const char *name);
/* A decoded argument of the query ('+' stays '+'); gives, or NULL. */
char *gate_query(const struct head *, const char *name);
/* Is 'word' in the comma-separated list, any case? */
bool gate_list_has(const char *list, const char *word);

/* Host and Origin (ABUSE N, O): is Host an IP literal, localhost, or one
 * of 'names' (NULL-terminated)? Is an Origin, if any, the hub's own Host
 * or in 'origins' ("*" allows all)? */
bool gate_host_ok(const struct head *, const char *const *names);
bool gate_origin_ok(const struct head *, const char *const *origins);

#endif
