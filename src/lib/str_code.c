#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"

static const char hex_digits[] = "0123456789abcdef";
static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz0123456789+/";

void
str_hex(char *dst, const void *bytes, size_t len)
{
	const unsigned char *s = bytes;
	size_t i;

	for (i = 0; i < len; i++) {
		*dst++ = hex_digits[s[i] >> 4];
		*dst++ = hex_digits[s[i] & 15];
	}
	*dst = '\0';
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
str_unhex(void *dst, size_t size, const char *hex, size_t *len)
{
	unsigned char *out = dst;
	size_t i, n = strlen(hex);

	if (n % 2 != 0 || n / 2 > size)
		return false;
	for (i = 0; i < n; i += 2) {
		int high = nibble(hex[i]), low = nibble(hex[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (unsigned char)(high << 4 | low);
	}
	*len = n / 2;
	return true;
}

char *
str_b64(const void *bytes, size_t len)
{
	const unsigned char *s = bytes;
	char *text = mem_alloc((len + 2) / 3 * 4 + 1), *out = text;
	size_t i;

	for (i = 0; i < len; i += 3) {
		size_t left = len - i;
		unsigned v = (unsigned)s[i] << 16;

		if (left > 1)
			v |= (unsigned)s[i + 1] << 8;
		if (left > 2)
			v |= s[i + 2];
		*out++ = b64_digits[v >> 18];
		*out++ = b64_digits[v >> 12 & 63];
		*out++ = left > 1 ? b64_digits[v >> 6 & 63] : '=';
		*out++ = left > 2 ? b64_digits[v & 63] : '=';
	}
	*out = '\0';
	return text;
}

/* Four characters to 'n' bytes (3, less where '=' ends the text). Bits that
 * the padding leaves over must be 0: one text for one value. */
static bool
unb64_four(const char *s, size_t n, unsigned char out[3])
{
	unsigned v = 0;
	size_t i;

	for (i = 0; i < 4; i++) {
		const char *digit = memchr(b64_digits, s[i], 64);

		if (i > n ? s[i] != '=' : digit == NULL)
			return false;
		v = v << 6 | (i > n ? 0 : (unsigned)(digit - b64_digits));
	}
	out[0] = (unsigned char)(v >> 16);
	out[1] = (unsigned char)(v >> 8);
	out[2] = (unsigned char)v;
	return (n > 1 || out[1] == 0) && (n > 2 || out[2] == 0);
}

bool
str_unb64(void *dst, size_t size, const char *text, size_t *len)
{
	size_t in = strlen(text), at, out = 0;

	if (in % 4 != 0)
		return false;
	for (at = 0; at < in; at += 4) {
		unsigned char three[3];
		size_t n = 3;

		if (at + 4 == in && text[at + 3] == '=')
			n = text[at + 2] == '=' ? 1 : 2;
		if (size - out < n || !unb64_four(text + at, n, three))
			return false;
		memcpy((char *)dst + out, three, n);
		out += n;
	}
	*len = out;
	return true;
}

bool
str_unpercent(char *s)
{
	char *out = s;

	for (; *s != '\0'; s++) {
		int high, low;

		if (*s != '%') {
			*out++ = *s;
			continue;
		}
		high = nibble(s[1]);
		low = high < 0 ? -1 : nibble(s[2]);
		if (low < 0 || (high | low) == 0)
			return false;
		*out++ = (char)(high << 4 | low);
		s += 2;
	}
	*out = '\0';
	return true;
}

static bool
unreserved(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("-._~", c) != NULL);
}

char *
str_percent(const char *s)
{
	char *text = mem_alloc(3 * strlen(s) + 1), *out = text;

	for (; *s != '\0'; s++) {
		if (unreserved(*s)) {
			*out++ = *s;
			continue;
		}
		*out++ = '%';
		*out++ = "0123456789ABCDEF"[(unsigned char)*s >> 4];
		*out++ = "0123456789ABCDEF"[(unsigned char)*s & 15];
	}
	*out = '\0';
	return text;
}
