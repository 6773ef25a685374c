/*
 * readers - what of ours reads a stranger's bytes, behind one signature
 *
 * Each gets a mutant in a block of exactly its length, so that the
 * sanitizer sees a byte too far, and asserts what must hold whatever came.
 */
#ifndef EWS_TESTS_READERS_H
#define EWS_TESTS_READERS_H

#include <stddef.h>

struct reader {
	const char *name;
	void (*read)(char *bytes, size_t len);
	const char *const *samples, *const *words; /* NULL ends each */
};

extern const struct reader readers[];
extern const size_t n_readers;

#endif
