#include <string.h>

#include "lib/mem.h"
#include "lib/tz_priv.h"

/* RFC 8536 3: a header and a block of 32-bit times; from version 2 on, a
 * second header, a block of 64-bit times and the footer follow. */
enum {
	HEADER_SIZE = 44,
	TYPE_SIZE = 6,
	FOOTER_MAX = 128,
	/* RFC 8536 3.2: what an offset should be within */
	OFFSET_MIN = -25 * 3600 + 1,
	OFFSET_MAX = 26 * 3600 - 1
};

struct reader {
	const unsigned char *at;
	size_t left;
};

struct header {
	int version;
	uint32_t n_ut, n_std, n_leap, n_times, n_types, n_chars;
};

static const unsigned char *
take(struct reader *r, uint64_t len)
{
	const unsigned char *at = r->at;

	if (len > r->left)
		return NULL;
	r->at += len;
	r->left -= (size_t)len;
	return at;
}

static uint64_t
number(const unsigned char *bytes, size_t size)
{
	uint64_t n = 0;

	while (size-- > 0)
		n = n << 8 | *bytes++;
	return n;
}

static int64_t
time_of(const unsigned char *bytes, size_t size)
{
	uint64_t n = number(bytes, size);

	return size == 4 ? (int32_t)n : (int64_t)n;
}

static bool
take_header(struct reader *r, struct header *h)
{
	const unsigned char *p = take(r, HEADER_SIZE);

	if (p == NULL || memcmp(p, "TZif", 4) != 0)
		return false;
	if (p[4] != '\0' && (p[4] < '2' || p[4] > '9'))
		return false;
	h->version = p[4] == '\0' ? 1 : p[4] - '0';
	h->n_ut = (uint32_t)number(p + 20, 4);
	h->n_std = (uint32_t)number(p + 24, 4);
	h->n_leap = (uint32_t)number(p + 28, 4);
	h->n_times = (uint32_t)number(p + 32, 4);
	h->n_types = (uint32_t)number(p + 36, 4);
	h->n_chars = (uint32_t)number(p + 40, 4);
	return h->n_types > 0 && h->n_types <= 256;
}

/* The block's bytes, of which the counts are thereby known to be true. */
static const unsigned char *
take_block(struct reader *r, const struct header *h, size_t time_size)
{
	uint64_t size = (uint64_t)h->n_times * (time_size + 1) +
			(uint64_t)h->n_types * TYPE_SIZE + h->n_chars +
			(uint64_t)h->n_leap * (time_size + 4) + h->n_std +
			h->n_ut;

	return take(r, size);
}

static bool
offset_of(const unsigned char *types, uint32_t i, int32_t *offset)
{
	*offset = (int32_t)number(types + (size_t)i * TYPE_SIZE, 4);
	return *offset >= OFFSET_MIN && *offset <= OFFSET_MAX;
}

static bool
read_block(struct tz *tz, const struct header *h, const unsigned char *block,
    size_t time_size)
{
	const unsigned char *index = block + h->n_times * time_size;
	const unsigned char *types = index + h->n_times;
	size_t i;

	if (h->n_leap > 0 || !offset_of(types, 0, &tz->first))
		return false;
	tz->times = mem_alloc((h->n_times + 1) * sizeof *tz->times);
	tz->offsets = mem_alloc((h->n_times + 1) * sizeof *tz->offsets);
	tz->n = h->n_times;
	for (i = 0; i < tz->n; i++) {
		tz->times[i] = time_of(block + i * time_size, time_size);
		if (i > 0 && tz->times[i] <= tz->times[i - 1])
			return false;
		if (index[i] >= h->n_types ||
		    !offset_of(types, index[i], &tz->offsets[i]))
			return false;
	}
	return true;
}

/* An empty one says nothing: the last offset of the table stays. */
static bool
read_footer(struct tz *tz, struct reader *r)
{
	char text[FOOTER_MAX];
	const unsigned char *end;
	size_t len;

	if (r->left < 2 || r->at[0] != '\n')
		return false;
	end = memchr(r->at + 1, '\n', r->left - 1);
	if (end == NULL)
		return false;
	len = (size_t)(end - r->at) - 1;
	if (len == 0)
		return true;
	if (len >= sizeof text || memchr(r->at + 1, '\0', len) != NULL)
		return false;
	memcpy(text, r->at + 1, len);
	text[len] = '\0';
	tz->has_rule = tz_rule_parse(&tz->rule, text);
	return tz->has_rule;
}

bool
tz_read(struct tz *tz, const char *bytes, size_t len)
{
	struct reader r = { (const unsigned char *)bytes, len };
	const unsigned char *block;
	struct header h;

	if (!take_header(&r, &h) || (block = take_block(&r, &h, 4)) == NULL)
		return false;
	if (h.version == 1)
		return read_block(tz, &h, block, 4);
	if (!take_header(&r, &h) || (block = take_block(&r, &h, 8)) == NULL)
		return false;
	return read_block(tz, &h, block, 8) && read_footer(tz, &r);
}
