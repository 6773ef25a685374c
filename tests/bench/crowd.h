/*
 * crowd - many WebSocket clients in one thread
 *
 * Each is an agent named bench-0, bench-1, ... It counts the messages that
 * match, answers pings and, when told to, acknowledges commands.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "../tools/bytes.h"

enum { CROWD_STATUS_MAX = 600 };

struct member {
	int fd;
	enum { UNBORN, CALLING, ASKED, UP, GONE } state;
	struct bytes in; /* only what is not complete */
	struct bytes out; /* only what the kernel did not take */
};

struct crowd {
	/* set by the user before anything else */
	struct sockaddr_in hub;
	int size; /* how many subscribe */
	bool publisher; /* one more, at publisher_path */
	const char *path; /* with one %d for the number */
	const char *publisher_path;
	const char *secret; /* for Authorization: Bearer, or NULL */
	const char *protocol; /* offered, or NULL */
	const char *match; /* a delivery contains this */
	const char *stamp; /* before a time in ns, or NULL */
	const char *hello; /* answers a hello */
	bool ack;
	bool knock; /* a refusal is a result, no failure */
	int window; /* handshakes at a time */
	int sources; /* addresses from 127.0.0.1 on */

	/* results */
	int up; /* subscribers now */
	int settled; /* that were answered, either way */
	int lost; /* were up and are gone */
	int status[CROWD_STATUS_MAX];
	long deliveries;
	uint32_t *late_us; /* what the stamps said */
	long late_n, late_max;

	/* its own */
	int opened;
	int oldest; /* the first that may be unsettled */
	struct member *members;
	struct pollfd *set;
	char key[32];
};

uint64_t crowd_now_ns(void); /* as in stamps: nanoseconds since 1970 */

void crowd_init(struct crowd *);

/* One turn of at most 'ms' while connections are still being made. */
void crowd_connect_turn(struct crowd *, int ms);

/* One turn in which all of them are served. */
void crowd_turn(struct crowd *, int ms);

/* The publisher sends a text message. */
void crowd_publish(struct crowd *, const char *, size_t);

void crowd_fini(struct crowd *);

#endif
