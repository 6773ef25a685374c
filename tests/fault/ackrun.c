/*
 * ackrun - sends commands to a hub one by one, and later asks for them
 *
 *	ackrun send SOCKET FROM TO   prints what was acknowledged: "c7", and
 *	                             "-c10" when its cancelling was, too
 *	ackrun check SOCKET          reads such lines: is it all there?
 *	ackrun time SOCKET FROM S    sends for S seconds, a pause after each,
 *	                             and prints how long the answers took
 *
 * A command that the disk refuses is sent again until it is taken, for at
 * most 10 s. Exit status of send: 0 all acknowledged, 1 some not, 3 the hub
 * went away. Of check: 0 yes, 1 no (and says what), 3 no hub.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"

enum { GONE = 3, ANSWER = 65536, PAUSE_MS = 20, PAUSES = 500 };
enum { TIMES_MAX = 100000, BREATH_MS = 5 };

static FILE *hub;
static char answer[ANSWER], payload[COMMAND_PAYLOAD];

static void
dial(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	if (fd == -1 || connect(fd, (struct sockaddr *)&sun, sizeof sun) == -1)
		err(GONE, "%s", path);
	hub = fdopen(fd, "r+");
	if (hub == NULL)
		err(GONE, "%s", path);
}

/* The answer is in 'answer'; is it "ok"? A hub that has gone ends us. */
static bool
heard(void)
{
	if (fflush(hub) == EOF || fgets(answer, sizeof answer, hub) == NULL)
		exit(GONE);
	return strstr(answer, "\"ok\":true") != NULL;
}

static bool
accepted(int k)
{
	command_payload(payload, k);
	fprintf(hub,
	    "{\"id\":%d,\"op\":\"send\",\"agent\":\"mini\",\"type\":\"effect\","
	    "\"command_id\":\"c%d\",\"queue_unknown\":true,\"payload\":%s}\n",
	    SEND_ID + k, k, payload);
	return heard();
}

static bool
send_one(int k)
{
	for (int i = 0; !accepted(k); i++) {
		if (i == PAUSES || strstr(answer, "\"code\":\"io\"") == NULL)
			return false;
		usleep(PAUSE_MS * 1000);
	}
	printf("c%d\n", k);
	fflush(stdout);
	if (!command_is_cancelled(k))
		return true;
	fprintf(hub, "{\"id\":%d,\"op\":\"cancel\",\"command_id\":\"c%d\"}\n",
	    CANCEL_ID + k, k);
	if (!heard())
		return false;
	printf("-c%d\n", k);
	fflush(stdout);
	return true;
}

static int
send_all(int from, int to)
{
	bool all = true;

	for (int k = from; k <= to; k++)
		all = send_one(k) && all;
	return all ? 0 : 1;
}

static bool
wrong(int k, const char *what)
{
	printf("c%d %s: %.300s\n", k, what, answer);
	return false;
}

static bool
check_one(const char *line)
{
	bool cancelled = line[0] == '-';
	int k = command_number(line + cancelled);

	fprintf(
	    hub, "{\"id\":1,\"op\":\"command\",\"command_id\":\"c%d\"}\n", k);
	if (!heard())
		return wrong(k, "is not there");
	command_payload(payload, k);
	if (strstr(answer, payload) == NULL)
		return wrong(k, "has another payload");
	if (cancelled && strstr(answer, "\"state\":\"cancelled\"") == NULL)
		return wrong(k, "was cancelled");
	if (!command_is_cancelled(k) &&
	    strstr(answer, "\"state\":\"accepted\"") == NULL)
		return wrong(k, "has another state");
	return true;
}

static int
check_all(void)
{
	char line[64];
	bool ok = true;

	while (fgets(line, sizeof line, stdin) != NULL)
		ok = check_one(line) && ok;
	return ok ? 0 : 1;
}

/* ---- how long it takes ------------------------------------------------ */

static long
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int
by_size(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static int
time_sends(int from, int seconds)
{
	static long took[TIMES_MAX];
	long end = now_us() + seconds * 1000000L;
	int n = 0;

	while (now_us() < end && n < TIMES_MAX) {
		long start = now_us();

		if (!accepted(from + n))
			return 1;
		took[n++] = now_us() - start;
		usleep(BREATH_MS * 1000);
	}
	qsort(took, (size_t)n, sizeof *took, by_size);
	printf("%d sends, p50 %ld us, p99 %ld us, slowest %ld us\n", n,
	    took[n / 2], took[n * 99 / 100], took[n - 1]);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "send") == 0) {
		dial(argv[2]);
		return send_all(atoi(argv[3]), atoi(argv[4]));
	}
	if (argc == 3 && strcmp(argv[1], "check") == 0) {
		dial(argv[2]);
		return check_all();
	}
	if (argc == 5 && strcmp(argv[1], "time") == 0) {
		dial(argv[2]);
		return time_sends(atoi(argv[3]), atoi(argv[4]));
	}
	errx(2, "usage: ackrun send SOCKET FROM TO | check SOCKET | "
		"time SOCKET FROM SECONDS");
}
