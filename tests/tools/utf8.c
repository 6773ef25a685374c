/*
 * utf8 - is it?
 */
#include "utf8.h"

#include <stdint.h>

bool
utf8_ok(const char *text, size_t n)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text;
	const unsigned char *end = p + n;

	while (p < end) {
		uint32_t c = *p++;
		int more = c < 0x80   ? 0
			   : c < 0xc0 ? -1
			   : c < 0xe0 ? 1
			   : c < 0xf0 ? 2
			   : c < 0xf8 ? 3
				      : -1;

		if (more < 0 || end - p < more)
			return false;
		if (more > 0)
			c &= 0x3fu >> more;
		for (int i = 0; i < more; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p & 0x3f);
		}
		if (c < least[more] || c > 0x10ffff ||
		    (c >= 0xd800 && c < 0xe000))
			return false;
	}
	return true;
}
