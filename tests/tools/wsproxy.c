/*
 * wsproxy - a TCP proxy on loopback that can take the WebSocket away
 *
 *	wsproxy --listen 0 --to PORT --control SOCKET [--port-file FILE]
 *	    [--count-file FILE]
 *
 * Passes bytes between its clients and 127.0.0.1:PORT, and counts their
 * requests. One line on the control socket, answered by one line, steers it:
 *
 *	mode pass             the start: everything goes through
 *	mode refuse-upgrade   upgrades get HTTP 503, other requests pass
 *	mode drop             every new connection is closed at once
 *	mode stall            no byte moves on any connection; when another
 *	                      mode follows, they go on where they were
 *	cut                   resets all connections
 *	cut-upgrades          resets those that asked for a WebSocket
 *	counts                {"upgrades":n,"requests":n,"refused":n,"live":n}
 *
 * A refused upgrade counts as an upgrade, too; a dropped connection only as
 * refused. Further requests on a kept connection are recognised by their
 * first words. What is not HTTP (TLS) passes and is only 'live'. The
 * count file holds the line of 'counts' and is replaced after each change;
 * the port file holds the port. Prints "ready PORT". SIGTERM ends it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"
#include "number.h"
#include "pair.h"

enum { USAGE = 2, FIXED = 2, LINE_MAX_LEN = 256 };

struct operator
{
	int fd;
	size_t len;
	char line[LINE_MAX_LEN];
	struct operator* next;
};

struct proxy {
	int listener;
	int control;
	bool drop;
	bool stall;
	struct pair_rules rules;
	struct pair *pairs;
	struct operator* operators;
	const char *count_file;
	struct counts written;
};

static volatile sig_atomic_t stopped;

static const struct option longs[] = { { "listen", required_argument, NULL,
					   'l' },
	{ "to", required_argument, NULL, 't' },
	{ "port-file", required_argument, NULL, 'p' },
	{ "control", required_argument, NULL, 'c' },
	{ "count-file", required_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' }, { 0 } };

static const char usage[] =
    "usage: wsproxy --listen PORT --to PORT --control SOCKET\n"
    "               [--port-file FILE] [--count-file FILE]\n"
    "control: mode pass|refuse-upgrade|drop|stall, cut, cut-upgrades, counts\n";

static void
on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

/* Readers never see half a file. */
static void
write_file(const char *path, const char *text)
{
	char temp[1024];
	FILE *f;

	snprintf(temp, sizeof temp, "%s.%ld", path, (long)getpid());
	f = fopen(temp, "w");
	if (f == NULL || fputs(text, f) == EOF || fclose(f) == EOF ||
	    rename(temp, path) == -1)
		err(1, "%s", path);
}

static void
put_counts(const struct proxy *x, char *out, size_t size)
{
	const struct counts *n = &x->rules.counts;

	snprintf(out, size,
	    "{\"upgrades\":%ld,\"requests\":%ld,"
	    "\"refused\":%ld,\"live\":%ld}\n",
	    n->upgrades, n->requests, n->refused, n->live);
}

static bool
set_mode(struct proxy *x, const char *mode)
{
	bool drop = strcmp(mode, "drop") == 0;
	bool stall = strcmp(mode, "stall") == 0;
	bool refuse = strcmp(mode, "refuse-upgrade") == 0;

	if (!drop && !stall && !refuse && strcmp(mode, "pass") != 0)
		return false;
	x->drop = drop;
	x->stall = stall;
	x->rules.refuse_upgrades = refuse;
	return true;
}

/* Frees what is done, so that 'live' is right at once. */
static void
sweep(struct proxy *x)
{
	struct pair **at = &x->pairs, *p;

	while ((p = *at) != NULL) {
		if (!p->done) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		pair_free(p);
		x->rules.counts.live--;
	}
}

static void
cut(struct proxy *x, bool only_upgrades)
{
	for (struct pair *p = x->pairs; p != NULL; p = p->next)
		if (p->upgrade || !only_upgrades)
			pair_cut(p);
	sweep(x);
}

static void
obey(struct proxy *x, const char *line, char *answer, size_t size)
{
	snprintf(answer, size, "ok\n");
	if (strncmp(line, "mode ", 5) == 0 && set_mode(x, line + 5))
		return;
	if (strcmp(line, "cut") == 0)
		cut(x, false);
	else if (strcmp(line, "cut-upgrades") == 0)
		cut(x, true);
	else if (strcmp(line, "counts") == 0)
		put_counts(x, answer, size);
	else
		snprintf(answer, size, "error: unknown: %s\n", line);
}

/* False when the operator is gone. */
static bool
serve(struct proxy *x, struct operator* o)
{
	char answer[LINE_MAX_LEN + 64], *end;
	ssize_t n =
	    recv(o->fd, o->line + o->len, sizeof o->line - 1 - o->len, 0);

	if (n <= 0)
		return n == -1 && (errno == EAGAIN || errno == EINTR);
	o->len += (size_t)n;
	while ((end = memchr(o->line, '\n', o->len)) != NULL) {
		size_t used = (size_t)(end + 1 - o->line);

		*end = '\0';
		obey(x, o->line, answer, sizeof answer);
		if (send(o->fd, answer, strlen(answer), 0) == -1)
			return false;
		o->len -= used;
		memmove(o->line, end + 1, o->len);
	}
	return o->len < sizeof o->line - 1;
}

static void
accept_operator(struct proxy *x)
{
	int fd = accept(x->control, NULL, NULL);
	struct operator* o = fd == - 1 ? NULL : calloc(1, sizeof *o);

	if (o == NULL)
		return;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	o->fd = fd;
	o->next = x->operators;
	x->operators = o;
}

static void
accept_clients(struct proxy *x)
{
	struct pair *p;
	int fd;

	while ((fd = accept(x->listener, NULL, NULL)) != -1) {
		if (x->drop) {
			x->rules.counts.refused++;
			close(fd);
			continue;
		}
		p = pair_new(fd);
		p->next = x->pairs;
		x->pairs = p;
		x->rules.counts.live++;
	}
}

/* Fills the set in the order in which turn() reads it. */
static nfds_t
fill(const struct proxy *x, struct pollfd **set)
{
	static size_t room;
	size_t n = FIXED, need = FIXED + 2 * (size_t)x->rules.counts.live;

	for (struct operator* o = x->operators; o != NULL; o = o->next)
		need++;
	if (need > room) {
		room = need * 2;
		*set = realloc(*set, room * sizeof **set);
		if (*set == NULL)
			errx(70, "out of memory");
	}
	(*set)[0] = (struct pollfd){ .fd = x->listener, .events = POLLIN };
	(*set)[1] = (struct pollfd){ .fd = x->control, .events = POLLIN };
	for (struct operator* o = x->operators; o != NULL; o = o->next)
		(*set)[n++] = (struct pollfd){ .fd = o->fd, .events = POLLIN };
	for (struct pair *p = x->pairs; p != NULL && !x->stall; p = p->next) {
		pair_poll(p, *set + n);
		n += 2;
	}
	return (nfds_t)n;
}

static void
serve_operators(struct proxy *x, const struct pollfd **at)
{
	struct operator** link = & x->operators, *o;

	while ((o = *link) != NULL) {
		if (((*at)++)->revents == 0 || serve(x, o)) {
			link = &o->next;
			continue;
		}
		*link = o->next;
		close(o->fd);
		free(o);
	}
}

static void
turn(struct proxy *x, const struct pollfd *set)
{
	const struct pollfd *at = set + FIXED;
	bool stalled = x->stall;

	/* Connections before operators: 'cut' may free the former. */
	for (struct operator* o = x->operators; o != NULL; o = o->next)
		at++;
	for (struct pair *p = x->pairs; p != NULL && !stalled; p = p->next) {
		pair_turn(p, at, &x->rules);
		at += 2;
	}
	sweep(x);
	at = set + FIXED;
	serve_operators(x, &at);
	if (set[1].revents != 0)
		accept_operator(x);
	if (set[0].revents != 0)
		accept_clients(x);
}

static void
write_counts(struct proxy *x)
{
	char line[256];

	if (x->count_file == NULL ||
	    memcmp(&x->written, &x->rules.counts, sizeof x->written) == 0)
		return;
	put_counts(x, line, sizeof line);
	write_file(x->count_file, line);
	x->written = x->rules.counts;
}

static void
run(struct proxy *x)
{
	struct pollfd *set = NULL;

	x->written.live = -1;
	while (!stopped) {
		nfds_t n;

		write_counts(x);
		n = fill(x, &set); /* it may move the set */
		if (poll(set, n, 1000) > 0)
			turn(x, set);
	}
	free(set);
}

static void
prepare(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct rlimit rl;

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static void
start(struct proxy *x, int port, const char *port_file, const char *control)
{
	char text[32];

	x->control = listener_unix(control);
	x->listener = listener_tcp(port, &port);
	snprintf(text, sizeof text, "%d\n", port);
	if (port_file != NULL)
		write_file(port_file, text);
	printf("ready %s", text);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct proxy x = { .rules.hub.sin_family = AF_INET };
	const char *port_file = NULL, *control = NULL;
	int c, port = 0, to = 0;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			port = (int)number(optarg, 0, 65535);
			break;
		case 't':
			to = (int)number(optarg, 1, 65535);
			break;
		case 'p':
			port_file = optarg;
			break;
		case 'c':
			control = optarg;
			break;
		case 'n':
			x.count_file = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return USAGE;
		}
	}
	if (to == 0 || control == NULL || optind != argc)
		errx(USAGE, "--to and --control are needed, see --help");
	x.rules.hub.sin_port = htons((uint16_t)to);
	x.rules.hub.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	prepare();
	start(&x, port, port_file, control);
	run(&x);
	unlink(control);
	return 0;
}
