/*
 * poller - which descriptors are ready: epoll on Linux, poll() elsewhere
 */
#include "poller.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>

#ifdef __linux__
#include <sys/epoll.h>

enum { BATCH = 512 };

static int ep;

void
poller_init(int most_fds)
{
	(void)most_fds;
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep == -1)
		err(1, "epoll");
}

static void
control(int op, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	if (epoll_ctl(ep, op, fd, &e) == -1)
		err(1, "epoll_ctl");
}

void
poller_add(int fd)
{
	control(EPOLL_CTL_ADD, fd, EPOLLIN);
}

void
poller_want_out(int fd, bool yes)
{
	control(EPOLL_CTL_MOD, fd, EPOLLIN | (yes ? EPOLLOUT : 0u));
}

void
poller_remove(int fd)
{
	(void)fd; /* closing it is enough */
}

int
poller_wait(struct ready *r, int max)
{
	struct epoll_event e[BATCH];
	int n;

	do
		n = epoll_wait(ep, e, max < BATCH ? max : BATCH, -1);
	while (n == -1 && errno == EINTR);
	for (int i = 0; i < n; i++)
		r[i] = (struct ready){ e[i].data.fd,
			(e[i].events & ~(uint32_t)EPOLLOUT) != 0,
			(e[i].events & EPOLLOUT) != 0 };
	return n;
}

#else
#include <poll.h>

static struct pollfd *set;
static int *place; /* of a descriptor in 'set' */
static int used, next;

void
poller_init(int most_fds)
{
	set = calloc((size_t)most_fds, sizeof *set);
	place = calloc((size_t)most_fds, sizeof *place);
	if (set == NULL || place == NULL)
		errx(1, "out of memory");
}

void
poller_add(int fd)
{
	place[fd] = used;
	set[used++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

void
poller_want_out(int fd, bool yes)
{
	set[place[fd]].events = (short)(POLLIN | (yes ? POLLOUT : 0));
}

void
poller_remove(int fd)
{
	int at = place[fd];

	set[at] = set[--used];
	place[set[at].fd] = at;
}

/* Goes on where it stopped, so that nobody starves. */
int
poller_wait(struct ready *r, int max)
{
	int n = 0;

	while (poll(set, (nfds_t)used, -1) == -1 && errno == EINTR)
		;
	for (int i = 0; i < used && n < max; i++, next++) {
		const struct pollfd *p;

		if (next >= used)
			next = 0;
		p = &set[next];
		if (p->revents != 0)
			r[n++] =
			    (struct ready){ p->fd, (p->revents & ~POLLOUT) != 0,
				    (p->revents & POLLOUT) != 0 };
	}
	return n;
}
#endif
