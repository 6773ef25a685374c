/*
 * number - arguments of a test program; a wrong one ends it with status 2
 */
#include "number.h"

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { USAGE = 2 };

long
number(const char *text, long min, long max)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || errno != 0)
		errx(USAGE, "'%s' is no number", text);
	if (v < min || v > max)
		errx(USAGE, "%s is not within %ld and %ld", text, min, max);
	return v;
}

void
unhex(const char *text, struct bytes *b)
{
	char pair[3] = "";

	for (; *text != '\0'; text++) {
		if (isspace((unsigned char)*text))
			continue;
		pair[0] = text[0];
		pair[1] = text[1];
		if (!isxdigit((unsigned char)pair[0]) ||
		    !isxdigit((unsigned char)pair[1]))
			errx(USAGE, "not pairs of hex digits: '%s'", text);
		bytes_put(b, &(char){ (char)strtol(pair, NULL, 16) }, 1);
		text++;
	}
}
