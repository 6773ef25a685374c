#include "lib/str.h"

#include <string.h>

bool
str_eq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
str_ieq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	while (*a != '\0' && fold(*a) == fold(*b)) {
		a++;
		b++;
	}
	return fold(*a) == fold(*b);
}

bool
str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), tail = strlen(suffix);

	return len >= tail && memcmp(s + len - tail, suffix, tail) == 0;
}

bool
str_copy(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);
	bool fits = len < size;

	if (size == 0)
		return false;
	if (!fits)
		len = size - 1;
	memcpy(dst, src, len);
	dst[len] = '\0';
	return fits;
}

/* The digits at the start; NULL if there is none or they overflow. */
static const char *
digits(const char *s, uint64_t *out)
{
	uint64_t n = 0;

	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
			return NULL;
	*out = n;
	return s;
}

bool
str_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *end;
	uint64_t n;

	if (s == NULL)
		return false;
	end = digits(s, &n);
	if (end == NULL || *end != '\0' || n < min || n > max)
		return false;
	*out = n;
	return true;
}

bool
str_size(const char *s, uint64_t *out)
{
	static const char units[] = "kmg";
	const char *end, *unit;
	uint64_t n;

	if (s == NULL)
		return false;
	end = digits(s, &n);
	if (end == NULL)
		return false;
	if (*end != '\0') {
		unit = strchr(units, fold(*end));
		if (unit == NULL || end[1] != '\0' ||
		    __builtin_mul_overflow(
			n, (uint64_t)1 << (10 * (unit - units + 1)), &n))
			return false;
	}
	*out = n;
	return true;
}
