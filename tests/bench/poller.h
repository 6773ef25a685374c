/*
 * poller - which descriptors are ready: epoll on Linux, poll() elsewhere
 *
 * For the floor only, so that its figures are those of the system's best.
 */
#ifndef BENCH_POLLER_H
#define BENCH_POLLER_H

#include <stdbool.h>

struct ready {
	int fd;
	bool in; /* also at the end and after an error */
	bool out;
};

void poller_init(int most_fds);
void poller_add(int fd);
void poller_want_out(int fd, bool);
void poller_remove(int fd);

/* Waits for ever; returns how many it wrote to 'r'. */
int poller_wait(struct ready *r, int max);

#endif
