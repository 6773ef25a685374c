/*
 * stopwatch - times commands on their way
 *
 *	stopwatch pace AGENT TYPE RATE SECONDS FILE
 *		prints lines for `ewsctl send --lines -`, RATE a second, each
 *		with the time it was printed and FILE as its argument
 *	FILE: linked as a handler it is called with that argument alone:
 *		appends to it the microseconds from that time until now;
 *		with no argument it does nothing
 *	stopwatch trip ROUNDS DIR COMMAND [ARG...]
 *		runs COMMAND to its end, then syncs a file of its own in DIR,
 *		by turns; prints one line: p50 and p99 of the command, p50 and
 *		p99 of append and fdatasync, in microseconds
 *
 * As a handler it is told by EWS_COMMAND_ID. Its clock is read first thing
 * in main: what forks and executes it is part of the time.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tools/number.h"

enum { USAGE = 2, ROUNDS_MAX = 100000, PAGE = 4120 };

#define SECOND INT64_C(1000000000)

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* One write, so that handlers do not mix their lines. */
static int
handle(const char *path, int64_t now)
{
	static const char name[] = "\"t\":";
	char text[4096], line[32];
	ssize_t n = read(STDIN_FILENO, text, sizeof text - 1);
	const char *at;
	int fd, len;

	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, name);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (at == NULL || fd == -1)
		return 1;
	len = snprintf(line, sizeof line, "%lld\n",
	    (long long)(now - atoll(at + sizeof name - 1)) / 1000);
	return write(fd, line, (size_t)len) == len ? 0 : 1;
}

static void
sleep_until(int64_t ns)
{
	int64_t rest = ns - now_ns();
	struct timespec t = { rest / SECOND, rest % SECOND };

	if (rest > 0)
		nanosleep(&t, NULL);
}

static int
pace(char **argv)
{
	long rate = number(argv[4], 1, 100000);
	long n = rate * number(argv[5], 1, 3600);
	int64_t start = now_ns();

	for (long i = 0; i < n; i++) {
		sleep_until(start + i * (SECOND / rate));
		printf("{\"agent\":\"%s\",\"type\":\"%s\",\"argv\":[\"%s\"],"
		       "\"payload\":{\"t\":%lld}}\n",
		    argv[2], argv[3], argv[6], (long long)now_ns());
		fflush(stdout);
	}
	return 0;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t
run(char **argv)
{
	int64_t start = now_ns();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1 || status != 0)
		errx(1, "%s failed", argv[0]);
	return now_ns() - start;
}

/* As a database does it with its log. */
static int64_t
sync_page(int fd)
{
	static char page[PAGE];
	int64_t start = now_ns();

	if (write(fd, page, sizeof page) != (ssize_t)sizeof page)
		err(1, "write");
#ifdef F_FULLFSYNC
	if (fcntl(fd, F_FULLFSYNC) == -1)
#else
	if (fdatasync(fd) == -1)
#endif
		err(1, "sync");
	return now_ns() - start;
}

static int
trip(char **argv)
{
	long n = number(argv[2], 1, ROUNDS_MAX);
	int64_t *trips = calloc((size_t)n, sizeof *trips);
	int64_t *syncs = calloc((size_t)n, sizeof *syncs);
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/sync.%ld", argv[3], (long)getpid());
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0600);
	if (fd == -1 || trips == NULL || syncs == NULL)
		err(1, "%s", path);
	for (long i = 0; i < n; i++) {
		trips[i] = run(argv + 4);
		syncs[i] = sync_page(fd);
	}
	unlink(path);
	qsort(trips, (size_t)n, sizeof *trips, compare);
	qsort(syncs, (size_t)n, sizeof *syncs, compare);
	printf("%lld %lld %lld %lld\n", (long long)trips[n / 2] / 1000,
	    (long long)trips[n * 99 / 100] / 1000,
	    (long long)syncs[n / 2] / 1000,
	    (long long)syncs[n * 99 / 100] / 1000);
	free(trips);
	free(syncs);
	return 0;
}

int
main(int argc, char **argv)
{
	int64_t now = now_ns();

	if (argc <= 2 && getenv("EWS_COMMAND_ID") != NULL)
		return argc == 2 ? handle(argv[1], now) : 0;
	if (argc == 7 && strcmp(argv[1], "pace") == 0)
		return pace(argv);
	if (argc >= 5 && strcmp(argv[1], "trip") == 0)
		return trip(argv);
	errx(USAGE, "usage: stopwatch pace AGENT TYPE RATE SECONDS FILE | "
		    "trip ROUNDS DIR COMMAND [ARG...]");
}
