/*
 * mutate - samples made wrong in a thousand ways, the same ones each time
 *
 * The seed decides everything: a finding is repeated by its seed and round.
 */
#ifndef EWS_TESTS_MUTATE_H
#define EWS_TESTS_MUTATE_H

#include <stddef.h>
#include <stdint.h>

enum { MUTANT_MAX = 65536 };

struct mutate {
	uint64_t state;
};

void mutate_seed(struct mutate *, uint64_t seed);
/* Less than 'n', which is not 0. */
size_t mutate_pick(struct mutate *, size_t n);
/* Changes up to MUTANT_MAX bytes at 'text' by a few edits; returns the new
 * length. 'words' are pieces that matter to the reader, NULL ends them. */
size_t
mutate(struct mutate *, char *text, size_t len, const char *const *words);

#endif
