#include "lib/id.h"

#include <pthread.h>
#include <string.h>

#include "lib/port.h"
#include "lib/str.h"

enum { COUNTER_MAX = 0xfff };

/* The millisecond and counter of the last id. */
static struct {
	pthread_mutex_t lock;
	int64_t ms;
	unsigned counter;
} last = { PTHREAD_MUTEX_INITIALIZER, -1, 0 };

/* A clock that went back, or a full counter, borrows from the next
 * millisecond (RFC 9562 section 6.2): order is worth more than accuracy. */
static void
advance(int64_t *ms, unsigned *counter, unsigned start)
{
	pthread_mutex_lock(&last.lock);
	if (*ms > last.ms) {
		last.ms = *ms;
		last.counter = start;
	} else if (last.counter < COUNTER_MAX) {
		last.counter++;
	} else {
		last.ms++;
		last.counter = start;
	}
	*ms = last.ms;
	*counter = last.counter;
	pthread_mutex_unlock(&last.lock);
}

void
id_uuid7(char out[ID_UUID_SIZE], int64_t unix_ms)
{
	static const size_t dashes[] = { 8, 13, 18, 23 };
	unsigned char b[16];
	char hex[33], *p = hex;
	unsigned counter;
	size_t i, dash = 0;

	port_random(b, sizeof b);
	/* starts in the lower half, so that the millisecond has room */
	advance(&unix_ms, &counter, (b[6] << 8 | b[7]) & (COUNTER_MAX >> 1));
	for (i = 0; i < 6; i++)
		b[i] = (unsigned char)(unix_ms >> (40 - 8 * i));
	b[6] = (unsigned char)(0x70 | counter >> 8);
	b[7] = (unsigned char)counter;
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	str_hex(hex, b, sizeof b);
	for (i = 0; i < ID_UUID_SIZE - 1; i++)
		if (dash < 4 && i == dashes[dash]) {
			out[i] = '-';
			dash++;
		} else {
			out[i] = *p++;
		}
	out[ID_UUID_SIZE - 1] = '\0';
}

void
id_random(char out[ID_RANDOM_SIZE])
{
	unsigned char b[(ID_RANDOM_SIZE - 1) / 2];

	port_random(b, sizeof b);
	str_hex(out, b, sizeof b);
}

/* C0, DEL and, in UTF-8, C1. */
static bool
has_control(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	for (; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			return true;
	return false;
}

bool
id_name_ok(const char *s)
{
	size_t len;

	if (s == NULL)
		return false;
	len = strnlen(s, ID_NAME_MAX + 1);
	if (len == 0 || len > ID_NAME_MAX || !str_utf8(s, len, false))
		return false;
	if (s[0] == ' ' || s[len - 1] == ' ' || strchr(s, '/') != NULL)
		return false;
	return !has_control(s) && !str_eq(s, ".") && !str_eq(s, "..");
}

static bool
word_ok(const char *s, size_t max, const char *first, const char *rest)
{
	size_t len;

	if (s == NULL || *s == '\0' || strchr(first, *s) == NULL)
		return false;
	len = strnlen(s, max + 1);
	return len <= max && strspn(s, rest) == len;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

bool
id_type_ok(const char *s)
{
	return word_ok(s, 64, LOWER UPPER DIGIT, LOWER UPPER DIGIT "_.-");
}

bool
id_handler_ok(const char *s)
{
	return word_ok(s, 64, LOWER DIGIT, LOWER DIGIT "_.-");
}
