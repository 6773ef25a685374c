#include "net/gate.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "net/gate_priv.h"

enum { ARGS_MAX = 50 }; /* the library drops a target with many more */

bool
gate_refuse(struct gate_refusal *no, int status, const char *why)
{
	*no = (struct gate_refusal){ status, why, NULL };
	return false;
}

static bool
is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* A head that never ends: the target is too long if no line ever ended. */
static long
over_limit(const char *bytes)
{
	return memchr(bytes, '\n', GATE_HEAD_MAX) == NULL ? -414 : -431;
}

long
gate_end(const char *bytes, size_t len, size_t seen)
{
	size_t max = len < GATE_HEAD_MAX ? len : GATE_HEAD_MAX;

	for (size_t i = seen > 3 ? seen - 3 : 0; i < max; i++) {
		char c = bytes[i];

		if (c == '\r') {
			if (i + 1 < len && bytes[i + 1] != '\n')
				return -400;
		} else if (c == '\n') {
			if (i < 2 || bytes[i - 1] != '\r')
				return -400; /* bare, or an empty line */
			if (i >= 3 && bytes[i - 2] == '\n')
				return (long)i + 1;
		} else if (is_control((unsigned char)c)) {
			return -400;
		}
	}
	return len >= GATE_HEAD_MAX ? over_limit(bytes) : 0;
}

bool
gate_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
			return false;
	}
	return len > 0;
}

struct block *
block_new(size_t slots, size_t text)
{
	size_t front =
	    sizeof(struct block) + slots * sizeof(struct gate_header);
	struct block *b = mem_try(front + text);

	if (b == NULL)
		return NULL;
	b->slots = slots;
	b->size = text;
	b->text = (char *)b + front;
	b->head.headers = b->headers;
	b->head.content_length = -1;
	return b;
}

char *
block_text(struct block *b, const char *bytes, size_t len)
{
	char *copy = b->text + b->used;

	if (len >= b->size - b->used)
		return NULL;
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	b->used += len + 1;
	return copy;
}

bool
block_header(struct block *b, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	struct gate_header *h = &b->headers[b->head.n_headers];

	if (b->head.n_headers == b->slots)
		return false;
	while (value_len > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		value_len--;
	}
	while (value_len > 0 &&
	       (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
		value_len--;
	h->name = block_text(b, name, name_len);
	h->value = block_text(b, value, value_len);
	if (h->name == NULL || h->value == NULL)
		return false;
	b->head.n_headers++;
	return true;
}

/* No "." or ".." segment, no control character, valid UTF-8. */
static bool
path_ok(const char *path)
{
	const char *p = path;

	if (!str_utf8(path, strlen(path), false))
		return false;
	for (; *p != '\0'; p++) {
		size_t dots;

		if (is_control((unsigned char)*p) || *p == '\t' || *p == '\\')
			return false;
		if (*p != '/')
			continue;
		dots = strspn(p + 1, ".");
		if ((dots == 1 || dots == 2) &&
		    (p[1 + dots] == '/' || p[1 + dots] == '\0'))
			return false;
	}
	return true;
}

static bool
target_ok(const char *target, size_t len, struct gate_refusal *no)
{
	unsigned args = 0;

	if (len > GATE_TARGET_MAX)
		return gate_refuse(no, 414, "The target is too long.");
	if (len == 0 || target[0] != '/')
		return gate_refuse(no, 400, "The target must be a path.");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)target[i];

		if (c <= ' ' || c >= 0x7f || c == '#')
			return gate_refuse(no, 400,
			    "The target holds a character that must be "
			    "encoded.");
		args += c == '&';
	}
	if (args >= ARGS_MAX)
		return gate_refuse(
		    no, 414, "The query has too many arguments.");
	return true;
}

bool
block_request(struct block *b, const char *method, size_t method_len,
    const char *target, size_t target_len, struct gate_refusal *no)
{
	struct head *h = &b->head;
	const char *mark;
	size_t path_len;

	if (!gate_token(method, method_len) || method_len > 32)
		return gate_refuse(no, 400, "The method is malformed.");
	if (!target_ok(target, target_len, no))
		return false;
	mark = memchr(target, '?', target_len);
	path_len = mark != NULL ? (size_t)(mark - target) : target_len;
	h->method = block_text(b, method, method_len);
	h->target = block_text(b, target, target_len);
	h->path = block_text(b, target, path_len);
	h->query = mark == NULL
		       ? block_text(b, "", 0)
		       : block_text(b, mark + 1, target_len - path_len - 1);
	if (h->method == NULL || h->target == NULL || h->path == NULL ||
	    h->query == NULL)
		return gate_refuse(no, 431, "The header is too large.");
	if (!str_unpercent(h->path) || !path_ok(h->path))
		return gate_refuse(no, 400, "The path is malformed.");
	return true;
}

/* "METHOD SP target SP HTTP/1.x", without its line end. */
static bool
parse_request(
    struct block *b, const char *line, size_t len, struct gate_refusal *no)
{
	const char *end = line + len;
	const char *a = memchr(line, ' ', len);
	const char *z =
	    a == NULL ? NULL : memchr(a + 1, ' ', (size_t)(end - a - 1));

	if (z == NULL || end - z != 9 || memcmp(z, " HTTP/", 6) != 0 ||
	    z[7] != '.')
		return gate_refuse(no, 400, "The request line is malformed.");
	if (z[6] != '1' || (z[8] != '0' && z[8] != '1'))
		return gate_refuse(no, 505, "This is an HTTP/1.1 server.");
	b->head.minor = z[8] - '0';
	return block_request(
	    b, line, (size_t)(a - line), a + 1, (size_t)(z - a - 1), no);
}

static bool
parse_header(
    struct block *b, const char *line, size_t len, struct gate_refusal *no)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon == NULL ? 0 : (size_t)(colon - line);

	/* also refuses a folded line and a space before the colon */
	if (!gate_token(line, name_len))
		return gate_refuse(no, 400, "A header line is malformed.");
	if (!block_header(b, line, name_len, colon + 1, len - name_len - 1))
		return gate_refuse(no, 431, "There are too many headers.");
	return true;
}

struct head *
gate_parse(const char *bytes, size_t len, struct gate_refusal *no)
{
	/* the target may be stored twice more, each string has its NUL */
	struct block *b =
	    block_new(GATE_HEADERS_MAX, 3 * len + 2 * GATE_HEADERS_MAX + 16);
	const char *p = bytes, *end = bytes + len - 2, *eol;
	bool ok;

	*no = (struct gate_refusal){ 0 };
	if (b == NULL) {
		gate_refuse(no, 503, "The server is out of memory.");
		return NULL;
	}
	eol = memchr(p, '\r', (size_t)(end - p));
	ok = parse_request(b, p, (size_t)(eol - p), no);
	for (p = eol + 2; ok && p < end; p = eol + 2) {
		eol = memchr(p, '\r', (size_t)(end - p));
		ok = parse_header(b, p, (size_t)(eol - p), no);
	}
	if (ok)
		return &b->head;
	free(b);
	return NULL;
}

struct head *
gate_head_new(
    const char *method, const char *target, int minor, struct gate_refusal *no)
{
	struct block *b = block_new(GATE_HEADERS_MAX, 2 * GATE_HEAD_MAX);

	*no = (struct gate_refusal){ 0 };
	if (b == NULL) {
		gate_refuse(no, 503, "The server is out of memory.");
		return NULL;
	}
	b->head.minor = minor;
	if (block_request(
		b, method, strlen(method), target, strlen(target), no))
		return &b->head;
	free(b);
	return NULL;
}

bool
gate_head_add(struct head *h, const char *name, const char *value)
{
	size_t name_len = strlen(name);

	for (const char *p = value; *p != '\0'; p++) {
		if (is_control((unsigned char)*p))
			return false;
	}
	return gate_token(name, name_len) &&
	       block_header(
		   (struct block *)h, name, name_len, value, strlen(value));
}

void
gate_head_free(struct head *h)
{
	free(h);
}
