#include "lib/hash.h"

#include <string.h>

#include "lib/port.h"

struct sip {
	uint64_t a, b, c, d;
};

static uint64_t key[2];

/* Before main, so that no thread can come first. */
__attribute__((constructor)) static void
choose_key(void)
{
	port_random(key, sizeof key);
}

static uint64_t
rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void
turn(struct sip *s)
{
	s->a += s->b;
	s->b = rotate(s->b, 13) ^ s->a;
	s->a = rotate(s->a, 32);
	s->c += s->d;
	s->d = rotate(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = rotate(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = rotate(s->b, 17) ^ s->c;
	s->c = rotate(s->c, 32);
}

static void
absorb(struct sip *s, uint64_t word)
{
	s->d ^= word;
	turn(s);
	s->a ^= word;
}

/* Words are read in the machine's byte order: no hash leaves the process. */
uint64_t
hash_bytes(const void *bytes, size_t len)
{
	struct sip s = { key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573 };
	const char *p = bytes;
	uint64_t word, last = (uint64_t)len << 56;
	size_t left;

	for (left = len; left >= sizeof word; left -= sizeof word) {
		memcpy(&word, p, sizeof word);
		absorb(&s, word);
		p += sizeof word;
	}
	word = 0;
	if (left > 0)
		memcpy(&word, p, left);
	absorb(&s, last ^ word);
	s.c ^= 0xff;
	turn(&s);
	turn(&s);
	turn(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}
