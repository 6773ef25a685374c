#include "ewsd/dialect/edge_output.h"

#include <string.h>

#include "ewsd/dialect/edge_priv.h"
#include "lib/id.h"

static const char begin[] = "{\"type\":\"output\",\"data\":{";

struct reader {
	char *at, *end;
};

struct span {
	char *at;
	size_t len;
	bool escaped;
};

static bool
skip(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of four hex digits; -1 if there are not four. */
static int
code_unit(const char *at, const char *end)
{
	int unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);

		if (digit == -1)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

/* Behind a backslash; the length of what follows it, 0: not for us. NUL and
 * surrogates are left to the common way. */
static size_t
escape_len(const char *at, const char *end)
{
	int unit;

	if (at == end)
		return 0;
	if (*at != 'u')
		return memchr("\"\\/bfnrt", *at, 8) != NULL ? 1 : 0;
	unit = code_unit(at + 1, end);
	return unit <= 0 || (unit >= 0xd800 && unit < 0xe000) ? 0 : 5;
}

/* A string, with its quotes; nothing is decoded yet. */
static bool
read_string(struct reader *r, struct span *s)
{
	if (!skip(r, '"'))
		return false;
	s->at = r->at;
	s->escaped = false;
	while (r->at < r->end && *r->at != '"') {
		unsigned char c = (unsigned char)*r->at++;
		size_t more;

		if (c < 0x20)
			return false;
		if (c != '\\')
			continue;
		more = escape_len(r->at, r->end);
		if (more == 0)
			return false;
		r->at += more;
		s->escaped = true;
	}
	s->len = (size_t)(r->at - s->at);
	return skip(r, '"');
}

static bool
read_number(struct reader *r, int64_t *out)
{
	const char *first = r->at;
	int64_t n = 0;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' &&
	       r->at - first < 18)
		n = n * 10 + (*r->at++ - '0');
	*out = n;
	return r->at > first && (*first != '0' || r->at - first == 1);
}

static char *
put_utf8(char *to, int unit)
{
	if (unit < 0x80) {
		*to++ = (char)unit;
	} else if (unit < 0x800) {
		*to++ = (char)(0xc0 | (unit >> 6));
		*to++ = (char)(0x80 | (unit & 0x3f));
	} else {
		*to++ = (char)(0xe0 | (unit >> 12));
		*to++ = (char)(0x80 | ((unit >> 6) & 0x3f));
		*to++ = (char)(0x80 | (unit & 0x3f));
	}
	return to;
}

/* In place: no escape is shorter than what it stands for. */
static void
decode(struct span *s)
{
	static const char from[] = "bfnrt", into[] = "\b\f\n\r\t";
	const char *at = s->at, *end = s->at + s->len;
	char *to = s->at;

	while (at < end) {
		const char *stop = memchr(at, '\\', (size_t)(end - at));
		size_t plain = (size_t)((stop != NULL ? stop : end) - at);
		const char *known;

		memmove(to, at, plain);
		to += plain;
		if (stop == NULL)
			break;
		at = stop + 2;
		if (stop[1] == 'u') {
			to = put_utf8(to, code_unit(at, end));
			at += 4;
			continue;
		}
		known = strchr(from, stop[1]);
		*to++ = known != NULL ? into[known - from] : stop[1];
	}
	s->len = (size_t)(to - s->at);
}

bool
edge_stream_from(const char *word, size_t len, enum output_stream *out)
{
	if (len != 6 ||
	    (memcmp(word, "stdout", 6) != 0 && memcmp(word, "stderr", 6) != 0))
		return false;
	*out = word[3] == 'o' ? OUTPUT_STDOUT : OUTPUT_STDERR;
	return true;
}

size_t
edge_b64_bytes(const char *text, size_t len)
{
	size_t pad = 0;

	if (len == 0 || len % 4 != 0)
		return 0;
	if (text[len - 1] == '=')
		pad = text[len - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < len - pad; i++) {
		char c = text[i], low = c | 0x20;

		if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '+' && c != '/')
			return 0;
	}
	return len / 4 * 3 - pad;
}

enum { HAS_ID = 1, HAS_STREAM = 2, HAS_OFFSET = 4, HAS_DATA = 8, HAS_ALL = 15 };

/* Which member is it? 0: one that we do not know. */
static int
member(const struct span *key, bool *b64)
{
	static const struct {
		const char *key;
		int bit;
	} known[] = { { "command_id", HAS_ID }, { "stream", HAS_STREAM },
		{ "offset", HAS_OFFSET }, { "data", HAS_DATA },
		{ "data64", HAS_DATA } };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strlen(known[i].key) == key->len &&
		    memcmp(known[i].key, key->at, key->len) == 0) {
			if (known[i].bit == HAS_DATA)
				*b64 = key->len == 6;
			return known[i].bit;
		}
	}
	return 0;
}

static bool
take_id(const struct span *s, char id[129])
{
	if (s->len > 128 || s->escaped)
		return false;
	memcpy(id, s->at, s->len);
	id[s->len] = '\0';
	return id_name_ok(id);
}

static bool
read_members(struct reader *r, struct edge_output *o, struct span *data)
{
	struct span key, value;
	int seen = 0, bit;

	do {
		if (!read_string(r, &key) || key.escaped || !skip(r, ':'))
			return false;
		bit = member(&key, &o->b64);
		if (bit == 0 || (seen & bit))
			return false;
		seen |= bit;
		if (bit == HAS_OFFSET) {
			if (!read_number(r, &o->offset))
				return false;
			continue;
		}
		if (!read_string(r, &value))
			return false;
		if ((bit == HAS_ID && !take_id(&value, o->id)) ||
		    (bit == HAS_STREAM &&
			!edge_stream_from(value.at, value.len, &o->stream)))
			return false;
		if (bit == HAS_DATA)
			*data = value;
	} while (skip(r, ','));
	return seen == HAS_ALL;
}

bool
edge_output_read(char *text, size_t len, struct edge_output *o)
{
	struct reader r = { text + sizeof begin - 1, text + len };
	struct span data = { 0 };

	if (len < sizeof begin || memcmp(text, begin, sizeof begin - 1) != 0)
		return false;
	if (!read_members(&r, o, &data) || !skip(&r, '}') || !skip(&r, '}') ||
	    r.at != r.end || (o->b64 && data.escaped))
		return false;
	/* an escape has at least a sixth of its length left */
	o->bytes = o->b64 ? edge_b64_bytes(data.at, data.len) : data.len;
	if (o->bytes == 0 || o->bytes > (data.escaped ? 6 : 1) * EDGE_CHUNK)
		return false;
	if (data.escaped)
		decode(&data);
	o->data = data.at;
	o->len = data.len;
	if (!o->b64)
		o->bytes = data.len;
	return true;
}
