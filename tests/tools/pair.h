/*
 * pair - one connection through the proxy: a client, and the hub behind it
 *
 * The hub is called only when the first request of the client is known.
 */
#ifndef TOOLS_PAIR_H
#define TOOLS_PAIR_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>

#include "bytes.h"

struct counts {
	long upgrades; /* requests to become a WebSocket */
	long requests; /* other requests */
	long refused; /* by us */
	long live; /* connections now */
};

struct side {
	int fd; /* -1: not called yet, or gone */
	struct bytes out; /* waits to be written to it */
	bool ended; /* it sends no more */
	bool shut; /* told that no more comes */
};

struct pair {
	struct side client;
	struct side hub;
	bool judged; /* the head was seen */
	bool upgrade;
	bool plain; /* HTTP, but no upgrade */
	bool refused; /* closes when it was told */
	bool answered; /* since the last request */
	bool done; /* free it */
	struct pair *next;
};

struct pair_rules {
	struct sockaddr_in hub;
	bool refuse_upgrades;
	struct counts counts;
};

struct pair *pair_new(int client_fd);
void pair_free(struct pair *);

/* Fills the events to wait for, client first, then hub. */
void pair_poll(const struct pair *, struct pollfd two[2]);

/* Does what can be done; sets 'done' at the end. */
void pair_turn(struct pair *, const struct pollfd two[2], struct pair_rules *);

/* Resets both connections. */
void pair_cut(struct pair *);

#endif
