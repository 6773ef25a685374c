/*
 * load - one run of the load generator
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "crowd.h"
#include "usage.h"

#define SECOND UINT64_C(1000000000) /* of our nanoseconds */

struct load {
	struct crowd crowd;
	const char *label;
	pid_t server;
	const char *command; /* publishes */
	pid_t running; /* the command, or 0 */
	bool unicast;
	long expect; /* deliveries, or -1 */
	long messages, sent;
	int inflight;
	int size; /* of a message */
	int settle_ms;
	uint64_t deadline;

	struct usage at[4]; /* start, connected, published, delivered */
	uint64_t began, connected, published, delivered;
};

/* From the command line; ends the program when that is wrong. */
void load_options(struct load *, int argc, char **argv);

#endif
