/*
 * wsprobe - a scriptable WebSocket client that knows nothing of our code
 *
 * The tests use it as an edge agent of foreign make, and as an abuser. Each
 * argument after the options is a step; see wsprobe --help. 'wsprobe raw'
 * sends stdin to the port as it is.
 */
#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "raw.h"
#include "steps.h"

enum { HELD, FAILED, USAGE, NO_CONNECTION };
enum { HEADERS_MAX = 4096 };

struct options {
	struct raw raw; /* also where to connect, and how long */
	struct upgrade ask;
	bool is_raw;
	bool no_mask;
	bool no_pong;
};

static char *headers[HEADERS_MAX + 1];

static const struct option longs[] = { { "host", required_argument, NULL, 'H' },
	{ "port", required_argument, NULL, 'p' },
	{ "path", required_argument, NULL, 'u' },
	{ "method", required_argument, NULL, 'X' },
	{ "header", required_argument, NULL, 'h' },
	{ "protocol", required_argument, NULL, 'P' },
	{ "tls", no_argument, NULL, 't' },
	{ "ca", required_argument, NULL, 'c' },
	{ "insecure", no_argument, NULL, 'k' },
	{ "timeout", required_argument, NULL, 'T' },
	{ "rcvbuf", required_argument, NULL, 'r' },
	{ "no-mask", no_argument, NULL, 'M' },
	{ "no-pong", no_argument, NULL, 'G' },
	{ "hex", no_argument, NULL, 'x' },
	{ "slow", required_argument, NULL, 's' },
	{ "half-close", no_argument, NULL, 'C' },
	{ "help", no_argument, NULL, 'e' }, { 0 } };

static const char help[] =
    "usage: wsprobe [OPTION]... --port PORT STEP...\n"
    "       wsprobe raw [OPTION]... --port PORT < OCTETS\n"
    "\n"
    "  --host HOST        127.0.0.1\n"
    "  --port PORT\n"
    "  --tls              with the system's certificates, or\n"
    "  --ca FILE          with these, or\n"
    "  --insecure         with any\n"
    "  --timeout SECONDS  of each step that waits (10; 0 has no end);\n"
    "                     with raw, of all\n"
    "  --rcvbuf OCTETS    a small receive buffer, to be a slow reader\n"
    "only without raw:\n"
    "  --path PATH        /edge/ws\n"
    "  --method METHOD    GET\n"
    "  --header 'K: V'    also replaces ours of that name; 'K:' leaves it out\n"
    "  --protocol NAME    offer a subprotocol (or several, with commas)\n"
    "  --no-mask          send unmasked frames\n"
    "  --no-pong          answer neither pings nor the close\n"
    "only with raw:\n"
    "  --hex              stdin is hex digits\n"
    "  --slow MS          so long after each octet\n"
    "  --half-close       end our direction when all is sent\n"
    "\n"
    "Without the step expect-status the handshake must succeed. Pings are\n"
    "answered while a step reads. At its end a script closes with 1000.\n"
    "Messages are printed one a line. A message that is binary or not UTF-8,\n"
    "and any frame against RFC 6455, fails the script. HOW to acknowledge is\n"
    "a status, or success or failure (the old form), or several with commas.\n"
    "An optional argument must not be the name of a step.\n"
    "\n"
    "exit: 0 all steps held  1 one did not  2 usage  3 no connection\n"
    "raw prints 'closed MS', 'timeout MS' or 'reset MS' on stderr and exits\n"
    "with 0, 4 or 5, or with 2 and 3 as above\n"
    "\n"
    "steps:\n";

static void
print_help(void)
{
	fputs(help, stdout);
	for (const struct step *s = steps; s->name != NULL; s++) {
		char left[64];

		snprintf(left, sizeof left, "%s %s", s->name, s->args);
		printf("  %-28s %s\n", left, s->help);
	}
	exit(HELD);
}

static long
milliseconds(const char *seconds)
{
	char *end;
	double v = strtod(seconds, &end);

	if (*seconds == '\0' || *end != '\0' || v < 0 || v > 1e6)
		errx(USAGE, "'%s' are no seconds", seconds);
	return (long)(v * 1000);
}

static void
add_header(char *header)
{
	int n = 0;

	while (headers[n] != NULL)
		n++;
	if (n == HEADERS_MAX)
		errx(USAGE, "more than %d headers", HEADERS_MAX);
	headers[n] = header;
}

static void
take_option(struct options *o, int c)
{
	struct wire_to *to = &o->raw.to;

	switch (c) {
	case 'H':
		to->host = optarg;
		break;
	case 'p':
		to->port = optarg;
		break;
	case 't':
		to->tls = true;
		break;
	case 'c':
		to->tls = true;
		to->ca = optarg;
		break;
	case 'k':
		to->tls = to->insecure = true;
		break;
	case 'r':
		to->rcvbuf = (int)number(optarg, 1, 1 << 30);
		break;
	case 'T':
		o->raw.limit_ms = milliseconds(optarg);
		break;
	case 'u':
		o->ask.path = optarg;
		break;
	case 'X':
		o->ask.method = optarg;
		break;
	case 'h':
		add_header(optarg);
		break;
	case 'P':
		o->ask.protocol = optarg;
		break;
	case 'M':
		o->no_mask = true;
		break;
	case 'G':
		o->no_pong = true;
		break;
	case 'x':
		o->raw.hex = true;
		break;
	case 's':
		o->raw.slow_ms = number(optarg, 1, 3600000);
		break;
	case 'C':
		o->raw.half_close = true;
		break;
	case 'e':
		print_help();
		break;
	default:
		exit(USAGE);
	}
}

/* How many of the 'n' words at 'arg' belong to 's'. */
static int
count_arguments(const struct step *s, char **arg, int n)
{
	int got = s->need;

	if (n < s->need)
		errx(USAGE, "step %s needs %s", s->name, s->args);
	while (got < s->may && got < n && step_find(arg[got]) == NULL)
		got++;
	return got;
}

/* A mistake in the script is told before anything is sent. */
static void
check_script(char **arg, int n)
{
	while (n > 0) {
		const struct step *s = step_find(*arg);
		int used;

		if (s == NULL)
			errx(USAGE, "no step named '%s'", *arg);
		used = 1 + count_arguments(s, arg + 1, n - 1);
		arg += used;
		n -= used;
		if (n > 0 && strcmp(*arg, "expect-status") == 0)
			errx(USAGE, "expect-status must come first");
	}
}

static void
shake_hands(struct peer *p, struct upgrade *u, const char *status)
{
	int64_t deadline = wire_in_ms(p->limit_ms);
	int want = status == NULL ? 101 : (int)number(status, 100, 599);
	const char *flaw;

	if (!upgrade_ask(u, &p->wire, deadline))
		errx(FAILED, "handshake: %s",
		    u->whole                   ? "no HTTP/1.x"
		    : p->wire.end == WIRE_OPEN ? "no answer in time"
					       : "hung up without an answer");
	if (status != NULL)
		upgrade_print(u, &p->wire, stdout, deadline);
	if (u->status != want)
		errx(FAILED, "handshake: HTTP %d instead of %d", u->status,
		    want);
	if (want == 101 && (flaw = upgrade_flaw(u)) != NULL)
		errx(FAILED, "handshake: %s", flaw);
	p->closed = want != 101;
}

static void
check_answer(const struct upgrade *u, const char *step, const char *text)
{
	size_t n = 0;
	const char *v;

	if (strcmp(step, "expect-head") == 0) {
		if (strcasestr(u->head, text) == NULL)
			errx(
			    FAILED, "expect-head: no '%s' in the answer", text);
	} else if (strcmp(step, "expect-protocol") == 0) {
		v = upgrade_header(u, "Sec-WebSocket-Protocol", &n);
		if (n != strlen(text) || (n > 0 && memcmp(v, text, n) != 0))
			errx(FAILED, "expect-protocol: '%.*s'", (int)n,
			    v != NULL ? v : "");
	}
}

static void
run_script(struct peer *p, const struct upgrade *u, char **arg, int n)
{
	while (n > 0) {
		const struct step *s = step_find(*arg);
		int used = count_arguments(s, arg + 1, n - 1);

		if (s->run != NULL)
			s->run(p, arg + 1, used);
		else
			check_answer(u, s->name, arg[1]);
		arg += used + 1;
		n -= used + 1;
	}
}

/* A good ending, unless the script made its own. */
static void
leave(struct peer *p)
{
	int64_t deadline = wire_in_ms(1000);
	enum peer_event ev;

	if (p->closed || p->said_close || p->mute)
		return;
	peer_close(p, 1000, "");
	do
		ev = peer_next(p, deadline);
	while (ev == PEER_TEXT || ev == PEER_PONG);
}

static int
probe(struct options *o, char **arg, int n)
{
	struct peer p = {
		.bare = o->no_mask,
		.mute = o->no_pong,
		.limit_ms = o->raw.limit_ms,
	};
	const char *status = NULL;

	check_script(arg, n);
	if (n > 0 && strcmp(arg[0], "expect-status") == 0)
		status = arg[1];
	o->ask.host = o->raw.to.host;
	o->ask.port = o->raw.to.port;
	wire_open(&p.wire, &o->raw.to, wire_in_ms(p.limit_ms));
	shake_hands(&p, &o->ask, status);
	run_script(&p, &o->ask, arg, n);
	leave(&p);
	upgrade_fini(&o->ask);
	peer_fini(&p);
	return HELD;
}

int
main(int argc, char **argv)
{
	struct options o = {
		.raw = { .to = { .host = "127.0.0.1" }, .limit_ms = 10000 },
		.ask = { .method = "GET",
		    .path = "/edge/ws",
		    .headers = headers },
	};
	int c;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	o.is_raw = argc > 1 && strcmp(argv[1], "raw") == 0;
	optind = o.is_raw ? 2 : 1;
	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1)
		take_option(&o, c);
	if (o.raw.to.port == NULL)
		errx(USAGE, "which --port?");
	if (!o.is_raw)
		return probe(&o, argv + optind, argc - optind);
	if (optind < argc)
		errx(USAGE, "raw takes no steps");
	return raw_run(&o.raw);
}
