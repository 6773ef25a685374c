#include <stdio.h>
#include <string.h>

#include "lib/str.h"

/*
 * The bytes of the character at 's': 0 if it is no UTF-8, and minus the
 * bytes missing if it is only cut off by 'len'.
 */
static int
utf8_len(const unsigned char *s, size_t len)
{
	unsigned char low = 0x80, high = 0xbf;
	int need, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	need = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0; /* overlong below */
	else if (s[0] == 0xed)
		high = 0x9f; /* surrogates above */
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	for (i = 1; i < need; i++) {
		if ((size_t)i == len)
			return i - need;
		if (s[i] < low || s[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return need;
}

bool
str_utf8(const char *bytes, size_t len, bool nul_ok)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t at = 0;

	while (at < len) {
		int n = utf8_len(s + at, len - at);

		if (n <= 0 || (s[at] == '\0' && !nul_ok))
			return false;
		at += (size_t)n;
	}
	return true;
}

size_t
str_utf8_cut(const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t back;

	for (back = 1; back <= 3 && back <= len; back++) {
		unsigned char c = s[len - back];

		if (c < 0x80)
			break;
		if (c >= 0xc0)
			return utf8_len(s + len - back, back) < 0 ? len - back
								  : len;
	}
	return len;
}

/*
 * Writes how the next character is shown and says how many bytes it took.
 * What cannot be shown goes byte by byte, also the two of a C1 character.
 */
static size_t
show(char out[5], const unsigned char *s, size_t len)
{
	static const char named[] = "\nn\tt\rr";
	int n = utf8_len(s, len);
	const char *name;

	if (n > 1 && !(s[0] == 0xc2 && s[1] < 0xa0)) {
		memcpy(out, s, (size_t)n);
		out[n] = '\0';
		return (size_t)n;
	}
	if (n == 1 && s[0] >= 0x20 && s[0] != 0x7f) { /* nearly all there is */
		out[0] = (char)s[0];
		out[1] = '\0';
		return 1;
	}
	name = s[0] == '\0' ? NULL : strchr(named, s[0]);
	if (name != NULL && s[0] < 0x20)
		snprintf(out, 5, "\\%c", name[1]);
	else
		snprintf(out, 5, "\\x%02x", s[0]);
	return 1;
}

char *
str_escape(char *dst, size_t size, const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t at = 0, out = 0, fits = 0;
	char piece[5];

	if (size == 0)
		return dst;
	while (at < len) {
		size_t n;

		at += show(piece, s + at, len - at);
		n = strlen(piece);
		if (out + n >= size)
			break;
		memcpy(dst + out, piece, n);
		out += n;
		if (out + 3 < size)
			fits = out; /* there is still room for "..." */
		if (at == len) {
			dst[out] = '\0';
			return dst;
		}
	}
	dst[fits] = '\0';
	if (len > 0 && size > 3)
		memcpy(dst + fits, "...", 4);
	return dst;
}
