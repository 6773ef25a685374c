/*
 * fuzz - throws mutants at all readers for some seconds
 *
 *   fuzz [SECONDS [SEED]]
 *
 * What is wrong ends it: an assertion or the sanitizer. The line that is
 * printed at its end, or before a crash (EWS_FUZZ_TRACE=1), has the seed.
 */
#undef NDEBUG
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mutate.h"
#include "readers.h"

enum { ROUNDS = 200 }; /* between two looks at the clock */

static void
round_of(const struct reader *r, struct mutate *m)
{
	static char work[MUTANT_MAX];
	size_t n = 0, len;
	char *exact;

	while (r->samples[n] != NULL)
		n++;
	n = mutate_pick(m, n);
	len = strlen(r->samples[n]);
	memcpy(work, r->samples[n], len);
	len = mutate(m, work, len, r->words);
	exact = malloc(len > 0 ? len : 1);
	if (exact == NULL)
		errx(2, "out of memory");
	memcpy(exact, work, len);
	r->read(exact, len);
	free(exact);
}

/* A file is slow to make: the settings get a twentieth of the rounds. */
static unsigned
turns(const struct reader *r)
{
	return strcmp(r->name, "conf") == 0 ? ROUNDS / 20 : ROUNDS;
}

int
main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, rounds = 0;
	bool trace = getenv("EWS_FUZZ_TRACE") != NULL;
	time_t end = time(NULL) + (time_t)seconds;

	do {
		for (size_t i = 0; i < n_readers; i++) {
			struct mutate m;

			mutate_seed(&m, seed * 1000 + i);
			if (trace)
				fprintf(stderr, "seed %llu %s\n",
				    (unsigned long long)seed, readers[i].name);
			for (unsigned k = turns(&readers[i]); k > 0; k--)
				round_of(&readers[i], &m);
			rounds += turns(&readers[i]);
		}
		seed++;
	} while (time(NULL) < end);
	printf("%llu mutants, next seed %llu\n", (unsigned long long)rounds,
	    (unsigned long long)seed);
	return 0;
}
