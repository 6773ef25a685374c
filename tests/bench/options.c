/*
 * options - what load is asked to do
 */
#include <arpa/inet.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/number.h"
#include "load.h"

enum { USAGE = 2 };

static const char help[] =
    "usage: load --port PORT --conns N [OPTION]...\n"
    "\n"
    "  --host ADDRESS         127.0.0.1\n"
    "  --path PATH            /edge/ws?edge_agent_id=bench-%d\n"
    "  --secret-file FILE     for Authorization: Bearer\n"
    "  --protocol NAME        offer it, and answer its hello\n"
    "  --hello JSON           with this\n"
    "  --ack                  acknowledge commands: received, completed\n"
    "  --window N             handshakes at a time (64)\n"
    "  --sources N            call from 127.0.0.1 ... 127.0.0.N (1)\n"
    "  --knock                refusals are counted, and that is all\n"
    "  --server-pid PID       measure this process\n"
    "  --settle MS            rest after connecting (500)\n"
    "  --timeout SECONDS      for everything (60)\n"
    "  --label TEXT           to tell lines apart\n"
    "deliveries:\n"
    "  --match TEXT           a message with this is one "
    "(\"type\":\"command\")\n"
    "  --stamp TEXT           what stands before the time it was sent, in ns\n"
    "                         since 1970 (\"t\":)\n"
    "  --expect N             wait for so many\n"
    "  --publish-cmd COMMAND  run by sh after 'ready'; without it and --pub,\n"
    "                         somebody else publishes when it reads 'ready'\n"
    "  --pub PATH             publish on a connection of our own, as the "
    "floor\n"
    "                         wants it: \"* PAYLOAD\"\n"
    "  --messages N           so many (100)\n"
    "  --inflight N           at most so many at a time (1)\n"
    "  --size N               octets of each (200)\n"
    "  --unicast              \"N PAYLOAD\" to one after the other\n";

static const struct option longs[] = { { "host", required_argument, NULL, 'H' },
	{ "port", required_argument, NULL, 'p' },
	{ "conns", required_argument, NULL, 'n' },
	{ "path", required_argument, NULL, 'u' },
	{ "secret-file", required_argument, NULL, 's' },
	{ "protocol", required_argument, NULL, 'P' },
	{ "hello", required_argument, NULL, 'e' },
	{ "ack", no_argument, NULL, 'a' },
	{ "window", required_argument, NULL, 'w' },
	{ "sources", required_argument, NULL, 'S' },
	{ "knock", no_argument, NULL, 'k' },
	{ "server-pid", required_argument, NULL, 'i' },
	{ "settle", required_argument, NULL, 'r' },
	{ "timeout", required_argument, NULL, 'T' },
	{ "label", required_argument, NULL, 'l' },
	{ "match", required_argument, NULL, 'm' },
	{ "stamp", required_argument, NULL, 't' },
	{ "expect", required_argument, NULL, 'x' },
	{ "publish-cmd", required_argument, NULL, 'c' },
	{ "pub", required_argument, NULL, 'b' },
	{ "messages", required_argument, NULL, 'N' },
	{ "inflight", required_argument, NULL, 'f' },
	{ "size", required_argument, NULL, 'z' },
	{ "unicast", no_argument, NULL, 'U' },
	{ "help", no_argument, NULL, 'h' }, { 0 } };

static const char *
read_secret(const char *path)
{
	static char secret[1024];
	FILE *f = fopen(path, "r");

	if (f == NULL || fgets(secret, sizeof secret, f) == NULL)
		err(USAGE, "%s", path);
	fclose(f);
	secret[strcspn(secret, "\r\n")] = '\0';
	return secret;
}

static void
take_host(struct crowd *f, const char *host)
{
	if (inet_pton(AF_INET, host, &f->hub.sin_addr) != 1 ||
	    ntohl(f->hub.sin_addr.s_addr) >> 24 != 127)
		errx(USAGE, "--host: an address in 127/8");
}

static bool
take_crowd_option(struct crowd *f, int c)
{
	switch (c) {
	case 'H':
		take_host(f, optarg);
		break;
	case 'p':
		f->hub.sin_port = htons((uint16_t)number(optarg, 1, 65535));
		break;
	case 'n':
		f->size = (int)number(optarg, 1, 1000000);
		break;
	case 'u':
		f->path = optarg;
		break;
	case 's':
		f->secret = read_secret(optarg);
		break;
	case 'P':
		f->protocol = optarg;
		break;
	case 'e':
		f->hello = optarg;
		break;
	case 'a':
		f->ack = true;
		break;
	case 'w':
		f->window = (int)number(optarg, 1, 100000);
		break;
	case 'S':
		f->sources = (int)number(optarg, 1, 250);
		break;
	case 'k':
		f->knock = true;
		break;
	case 'm':
		f->match = optarg;
		break;
	case 't':
		f->stamp = optarg;
		break;
	case 'b':
		f->publisher = true;
		f->publisher_path = optarg;
		break;
	default:
		return false;
	}
	return true;
}

static void
take_option(struct load *l, int c)
{
	if (take_crowd_option(&l->crowd, c))
		return;
	switch (c) {
	case 'i':
		l->server = (pid_t)number(optarg, 1, 1L << 30);
		break;
	case 'r':
		l->settle_ms = (int)number(optarg, 0, 600000);
		break;
	case 'T':
		l->deadline = crowd_now_ns() +
			      (uint64_t)number(optarg, 1, 100000) * SECOND;
		break;
	case 'l':
		if (strpbrk(optarg, "\"\\") != NULL)
			errx(USAGE, "--label: no quotes, no backslashes");
		l->label = optarg;
		break;
	case 'x':
		l->expect = number(optarg, 0, 1L << 40);
		break;
	case 'c':
		l->command = optarg;
		break;
	case 'N':
		l->messages = number(optarg, 1, 1L << 30);
		break;
	case 'f':
		l->inflight = (int)number(optarg, 1, 1000000);
		break;
	case 'z':
		l->size = (int)number(optarg, 64, 65000);
		break;
	case 'U':
		l->unicast = true;
		break;
	case 'h':
		fputs(help, stdout);
		exit(0);
	default:
		exit(USAGE);
	}
}

void
load_options(struct load *l, int argc, char **argv)
{
	int c;

	*l = (struct load){
		.crowd = {
			.hub = { .sin_family = AF_INET,
			    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
			.path = "/edge/ws?edge_agent_id=bench-%d",
			.publisher_path = "/pub",
			.match = "\"type\":\"command\"",
			.stamp = "\"t\":",
			.hello = "{\"type\":\"hello\",\"data\":{"
			    "\"instance\":\"bench\",\"version\":\"0\","
			    "\"tags\":[],\"handlers\":[]}}",
			.window = 64,
			.sources = 1,
		},
		.label = "", .expect = -1, .messages = 100, .inflight = 1,
		.size = 200, .settle_ms = 500,
		.deadline = crowd_now_ns() + 60 * SECOND,
	};
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		take_option(l, c);
	if (l->crowd.size == 0 || l->crowd.hub.sin_port == 0 || optind != argc)
		errx(USAGE, "--port and --conns are needed, see --help");
}
