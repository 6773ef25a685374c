/*
 * usage - what a process has used so far
 */
#include "usage.h"

#ifdef __linux__
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static bool
read_rss(pid_t pid, long *kib)
{
	char path[64];
	long pages;
	FILE *f;
	bool ok;

	snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	ok = fscanf(f, "%*d %ld", &pages) == 1;
	fclose(f);
	*kib = ok ? pages * (sysconf(_SC_PAGESIZE) / 1024) : 0;
	return ok;
}

struct usage
usage_of(pid_t pid)
{
	struct usage u = { 0 };
	struct timespec t;
	clockid_t clock;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &t) != 0)
		return u;
	u.cpu_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	u.known = read_rss(pid, &u.rss_kib);
	return u;
}

#else

struct usage
usage_of(pid_t pid)
{
	(void)pid;
	return (struct usage){ 0 };
}
#endif
