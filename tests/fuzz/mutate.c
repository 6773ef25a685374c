#include "mutate.h"

#include <string.h>

enum { EDITS_MAX = 6, RUN_MAX = 300 };

void
mutate_seed(struct mutate *m, uint64_t seed)
{
	m->state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

/* xorshift64* */
static uint64_t
next(struct mutate *m)
{
	m->state ^= m->state >> 12;
	m->state ^= m->state << 25;
	m->state ^= m->state >> 27;
	return m->state * 0x2545f4914f6cdd1dULL;
}

size_t
mutate_pick(struct mutate *m, size_t n)
{
	return (size_t)((next(m) >> 16) % n);
}

/* Opens a gap of 'n' bytes at 'at', as far as there is room. */
static size_t
widen(char *text, size_t len, size_t at, size_t n)
{
	if (n > MUTANT_MAX - len)
		return 0;
	memmove(text + at + n, text + at, len - at);
	return n;
}

static size_t
put_word(struct mutate *m, char *text, size_t len, const char *const *words)
{
	size_t n = 0, at = mutate_pick(m, len + 1), size;
	const char *word;

	while (words[n] != NULL)
		n++;
	if (n == 0)
		return len;
	word = words[mutate_pick(m, n)];
	size = strlen(word);
	if (widen(text, len, at, size) == 0)
		return len;
	memcpy(text + at, word, size);
	return len + size;
}

static size_t
put_run(struct mutate *m, char *text, size_t len)
{
	static const char bytes[] = "\0\r\n\t \"\\{}[]:,%&=?/\x80\xff\xc3z09";
	size_t at = mutate_pick(m, len + 1), n = 1 + mutate_pick(m, RUN_MAX);

	n = widen(text, len, at, n);
	memset(text + at, bytes[mutate_pick(m, sizeof bytes - 1)], n);
	return len + n;
}

static size_t
cut(struct mutate *m, char *text, size_t len)
{
	size_t at = mutate_pick(m, len), n = 1 + mutate_pick(m, len - at);

	memmove(text + at, text + at + n, len - at - n);
	return len - n;
}

static size_t
repeat(struct mutate *m, char *text, size_t len)
{
	size_t at = mutate_pick(m, len), n = 1 + mutate_pick(m, len - at);

	if (widen(text, len, at, n) == 0)
		return len;
	return len + n; /* the gap still holds what was there */
}

static size_t
edit(struct mutate *m, char *text, size_t len, const char *const *words)
{
	size_t kind = mutate_pick(m, 7);

	if (len == 0 || kind == 0)
		return put_word(m, text, len, words);
	switch (kind) {
	case 1:
		return put_run(m, text, len);
	case 2:
		return cut(m, text, len);
	case 3:
		return repeat(m, text, len);
	case 4:
		text[mutate_pick(m, len)] ^= (char)(1 << mutate_pick(m, 8));
		return len;
	case 5:
		text[mutate_pick(m, len)] = (char)mutate_pick(m, 256);
		return len;
	default:
		return mutate_pick(m, 4) == 0 ? mutate_pick(m, len + 1) : len;
	}
}

size_t
mutate(struct mutate *m, char *text, size_t len, const char *const *words)
{
	for (size_t n = 1 + mutate_pick(m, EDITS_MAX); n > 0; n--)
		len = edit(m, text, len, words);
	return len;
}
