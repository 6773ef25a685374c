/*
 * load - many agents at a hub, and what the hub spent on them
 *
 * Connects, prints the line "ready", publishes or has somebody publish, waits
 * for the deliveries and prints one JSON line:
 *
 *	connect_cpu_us_per_conn, rss_kib_per_conn   from the start until all
 *	                        are connected and --settle has passed
 *	cpu_us_per_delivery     from publishing to the last delivery; with
 *	                        --ack to the end of --settle after it
 *	p50_us, p99_us          from the stamp in a message to its arrival
 *
 * What was not measured is null. See load --help.
 *
 * It polls with poll(). Next to epoll that changed neither the hub's figures
 * for connecting nor those for messages to all. But a lone message to one of
 * 10,000 connections waits for the scan of all (p50 2 to 4 ms instead of
 * 0.03), and in such a run the hub's cpu_us_per_delivery is up to twice as
 * high: take both from runs with at most some hundred connections. Compare
 * only figures of one day and machine.
 *
 * Exit status: 0 all arrived, 1 not all in time, 2 usage, 3 no connection.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

enum { FAILED = 1, NO_CONNECTION = 3, LATE_MAX = 4000000 };

static bool
is_late(const struct load *l)
{
	return crowd_now_ns() > l->deadline;
}

static void
rest(struct load *l, int ms)
{
	uint64_t end = crowd_now_ns() + (uint64_t)ms * 1000000, now;

	while ((now = crowd_now_ns()) < end)
		crowd_turn(&l->crowd, (int)((end - now) / 1000000) + 1);
}

static void
connect_all(struct load *l)
{
	struct crowd *f = &l->crowd;
	int want = f->size + f->publisher;

	l->at[0] = usage_of(l->server);
	l->began = crowd_now_ns();
	while (f->settled < want) {
		if (is_late(l))
			errx(NO_CONNECTION, "%d of %d connected in time", f->up,
			    f->size);
		crowd_connect_turn(f, 100);
	}
	l->connected = crowd_now_ns();
	rest(l, l->settle_ms);
	l->at[1] = usage_of(l->server);
	puts("ready");
	fflush(stdout);
}

static void
run_command(struct load *l)
{
	if (l->command == NULL)
		return;
	l->running = fork();
	if (l->running == -1)
		err(FAILED, "fork");
	if (l->running > 0)
		return;
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", l->command, (char *)NULL);
	_exit(127);
}

static void
publish_one(struct load *l)
{
	char text[66000];
	long to = l->sent % l->crowd.size;
	int n = snprintf(text, sizeof text, l->unicast ? "%ld " : "* ", to);
	int start = n;

	n += snprintf(text + n, sizeof text - (size_t)n,
	    "{\"type\":\"command\",\"t\":%llu,\"pad\":\"",
	    (unsigned long long)crowd_now_ns());
	while (n < start + l->size - 2)
		text[n++] = 'x';
	text[n++] = '"';
	text[n++] = '}';
	crowd_publish(&l->crowd, text, (size_t)n);
	l->sent++;
}

static void
publish_some(struct load *l)
{
	long each = l->unicast ? 1 : l->crowd.size;

	if (!l->crowd.publisher)
		return;
	while (l->sent < l->messages &&
	       l->sent - l->crowd.deliveries / each < l->inflight)
		publish_one(l);
}

static void
deliver(struct load *l)
{
	struct crowd *f = &l->crowd;

	l->at[2] = usage_of(l->server);
	l->published = crowd_now_ns();
	run_command(l);
	while (f->deliveries < l->expect && f->up > 0 && !is_late(l)) {
		publish_some(l);
		crowd_turn(f, 100);
	}
	l->delivered = crowd_now_ns();
	if (f->ack)
		rest(l, l->settle_ms);
	l->at[3] = usage_of(l->server);
}

/* False when the publishing command failed. */
static bool
command_held(struct load *l)
{
	int status = 0;

	if (l->running == 0)
		return true;
	while (waitpid(l->running, &status, WNOHANG) == 0) {
		if (is_late(l))
			kill(l->running, SIGTERM);
		rest(l, 50);
	}
	if (status != 0)
		warnx("--publish-cmd: status %d", WIFEXITED(status)
						      ? WEXITSTATUS(status)
						      : 128 + WTERMSIG(status));
	return status == 0;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
print_number(const char *name, bool known, double v)
{
	if (known)
		printf(",\"%s\":%.3f", name, v);
	else
		printf(",\"%s\":null", name);
}

static void
print_connects(const struct load *l)
{
	const struct crowd *f = &l->crowd;
	const struct usage *u = l->at;
	bool known = u[0].known && u[1].known;
	double s = (double)(l->connected - l->began) / 1e9;
	int printed = 0;

	printf("{\"label\":\"%s\",\"conns\":%d,\"up\":%d,\"lost\":%d,"
	       "\"statuses\":{",
	    l->label, f->size, f->up, f->lost);
	for (int i = 0; i < CROWD_STATUS_MAX; i++)
		if (f->status[i] > 0)
			printf("%s\"%d\":%d", printed++ > 0 ? "," : "", i,
			    f->status[i]);
	printf("},\"connect_s\":%.3f", s);
	print_number("connects_per_s", s > 0, f->size / s);
	print_number("connect_cpu_us_per_conn", known,
	    (double)(u[1].cpu_ns - u[0].cpu_ns) / 1e3 / f->size);
	print_number("rss_kib_per_conn", known,
	    (double)(u[1].rss_kib - u[0].rss_kib) / f->size);
}

static void
print_deliveries(const struct load *l)
{
	const struct crowd *f = &l->crowd;
	const struct usage *u = l->at;
	bool any = f->deliveries > 0;
	double s = (double)(l->delivered - l->published) / 1e9;

	qsort(f->late_us, (size_t)f->late_n, sizeof *f->late_us, compare);
	printf(",\"deliveries\":%ld,\"wall_s\":%.3f", f->deliveries, s);
	print_number("deliveries_per_s", any, (double)f->deliveries / s);
	print_number("cpu_us_per_delivery", any && u[2].known && u[3].known,
	    (double)(u[3].cpu_ns - u[2].cpu_ns) / 1e3 / (double)f->deliveries);
	print_number("p50_us", f->late_n > 0, f->late_us[f->late_n / 2]);
	print_number("p99_us", f->late_n > 0, f->late_us[f->late_n * 99 / 100]);
	puts("}");
}

static int
run(struct load *l)
{
	struct crowd *f = &l->crowd;
	bool held = true;

	if (l->expect < 0)
		l->expect = !f->publisher
				? 0
				: l->messages * (l->unicast ? 1 : f->size);
	f->late_max = l->expect < LATE_MAX ? l->expect : LATE_MAX;
	crowd_init(f);
	connect_all(l);
	if (!f->knock) {
		deliver(l);
		held = command_held(l) && f->deliveries >= l->expect &&
		       f->lost == 0;
	}
	print_connects(l);
	print_deliveries(l);
	crowd_fini(f);
	return held ? 0 : FAILED;
}

static void
raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
		return;
	rl.rlim_cur = rl.rlim_max < 1 << 18 ? rl.rlim_max : 1 << 18;
	setrlimit(RLIMIT_NOFILE, &rl);
}

int
main(int argc, char **argv)
{
	struct load l;

	signal(SIGPIPE, SIG_IGN);
	load_options(&l, argc, argv);
	raise_limit();
	return run(&l);
}
