/*
 * usage - what a process has used so far
 */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
	bool known; /* false off Linux, or if it is gone */
	uint64_t cpu_ns; /* of all its threads, also of ended ones */
	long rss_kib;
};

struct usage usage_of(pid_t);

#endif
