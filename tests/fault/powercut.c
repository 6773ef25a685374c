/*
 * powercut - cuts the power of a recorded run, again and again
 *
 *	powercut places LOG STEP
 *	      prints "17 W" and so on: the places for a fault and what is
 *	      done there (record.h); of writes and syncs each STEP-th
 *	powercut try LOG DIR CUTS SEED [strict]
 *	      CUTS times: builds in DIR what a cut at a random moment leaves,
 *	      opens it as the hub does, and looks for all that the hub had
 *	      acknowledged by then. Prints the sums; exit status 1 if
 *	      anything was lost.
 *	powercut build LOG DIR SEED [strict]
 *	      builds one such DIR and prints what was acknowledged
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "lib/log.h"
#include "promises.h"
#include "record.h"

enum { TOLD = 5 }; /* so many failures are described */

/* Nothing here outlives the test, so nothing has to reach the disk. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

int
fdatasync(int fd)
{
	(void)fd;
	return 0;
}

struct entry {
	struct record head;
	const char *bytes;
	int64_t at;
	char name[256];
};

static struct entry *entries;
static size_t n_entries;

static void
read_log(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct entry e;
	char *bytes;

	if (f == NULL)
		err(2, "%s", path);
	while (e.at = ftell(f), fread(&e.head, sizeof e.head, 1, f) == 1) {
		bytes = calloc(1, e.head.len + 1);
		entries = realloc(entries, (n_entries + 1) * sizeof e);
		if (e.head.magic != RECORD_MAGIC || bytes == NULL ||
		    entries == NULL || e.head.name_len >= sizeof e.name ||
		    fread(e.name, 1, e.head.name_len, f) != e.head.name_len ||
		    fread(bytes, 1, e.head.len, f) != e.head.len)
			errx(2, "%s: no whole log", path);
		e.name[e.head.name_len] = '\0';
		e.bytes = bytes;
		entries[n_entries++] = e;
	}
	fclose(f);
}

static bool
is_rare(const struct record *r)
{
	return r->op != RECORD_WRITE && r->op != RECORD_SYNC;
}

static void
print_places(long step)
{
	long n = 0;

	for (size_t i = 0; i < n_entries; i++) {
		const struct record *r = &entries[i].head;

		if (r->place != 0 && (is_rare(r) || n++ % step == 0))
			printf("%u %c\n", (unsigned)r->place, r->op);
	}
}

/* What was promised up to a moment of chance, and what a cut leaves of it */
static struct promises *
cut(const char *dir, uint64_t seed, bool strict)
{
	struct promises *p = calloc(1, sizeof *p);
	struct disk *d = disk_new(seed, strict);
	size_t end = disk_chance(d, n_entries + 1);

	if (p == NULL)
		err(2, "memory");
	for (size_t i = 0; i < end; i++) {
		const struct entry *e = &entries[i];

		if (e->head.op == RECORD_SENT)
			promises_feed(p, e->bytes, e->head.len);
		else
			disk_feed(d, &e->head, e->name, e->bytes, e->at);
	}
	disk_cut(d, dir);
	disk_free(d);
	return p;
}

static int
try(const char *dir, long cuts, uint64_t seed, bool strict)
{
	size_t bad = 0, lost = 0, promised = 0;

	for (long i = 0; i < cuts; i++) {
		struct promises *p = cut(dir, seed + (uint64_t)i, strict);
		size_t n = promises_broken(p, dir, bad < TOLD);

		if (n > 0 && bad++ < TOLD)
			fprintf(stderr, "seed %llu: %zu of %zu\n",
			    (unsigned long long)seed + (unsigned long long)i, n,
			    p->n);
		lost += n;
		promised += p->n;
		free(p);
	}
	printf("%ld cuts, %zu promises, %zu cuts lost %zu\n", cuts, promised,
	    bad, lost);
	return bad > 0 ? 1 : 0;
}

static int
build(const char *dir, uint64_t seed, bool strict)
{
	struct promises *p = cut(dir, seed, strict);

	promises_print(p, stdout);
	free(p);
	return 0;
}

static void
usage(void)
{
	errx(2, "usage: powercut places LOG STEP | "
		"try LOG DIR CUTS SEED [strict] | "
		"build LOG DIR SEED [strict]");
}

static bool
is(int argc, char **argv, const char *what, int args)
{
	return strcmp(argv[1], what) == 0 &&
	       (argc == args ||
		   (argc == args + 1 && strcmp(argv[args], "strict") == 0));
}

int
main(int argc, char **argv)
{
	if (argc < 3)
		usage();
	read_log(argv[2]);
	if (is(argc, argv, "places", 4) && atol(argv[3]) > 0)
		print_places(atol(argv[3]));
	else if (is(argc, argv, "try", 6))
		return try(argv[3], atol(argv[4]), strtoull(argv[5], NULL, 10),
		    argc > 6);
	else if (is(argc, argv, "build", 5))
		return build(argv[3], strtoull(argv[4], NULL, 10), argc > 5);
	else
		usage();
	return 0;
}
