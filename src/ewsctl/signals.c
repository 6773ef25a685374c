#include "ewsctl/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "lib/port.h"

static int fds[2] = { -1, -1 };

static void
on_signal(int number)
{
	unsigned char byte = (unsigned char)number;
	int saved = errno;
	ssize_t n = write(fds[1], &byte, 1);

	(void)n; /* a full pipe says enough */
	errno = saved;
}

static void
act(int number, void (*fn)(int))
{
	struct sigaction sa = { .sa_handler = fn, .sa_flags = SA_RESTART }, old;

	sigemptyset(&sa.sa_mask);
	if (sigaction(number, NULL, &old) == 0 &&
	    (number != SIGINT || old.sa_handler != SIG_IGN))
		sigaction(number, &sa, NULL);
}

void
signals_catch(void)
{
	if (fds[0] == -1) {
		if (port_pipe(fds) == -1)
			return;
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		fcntl(fds[1], F_SETFL, O_NONBLOCK);
	}
	act(SIGTERM, on_signal);
	act(SIGINT, on_signal);
}

void
signals_release(void)
{
	act(SIGTERM, SIG_DFL);
	act(SIGINT, SIG_DFL);
}

int
signals_fd(void)
{
	return fds[0];
}

int
signals_next(void)
{
	unsigned char byte;

	if (fds[0] == -1 || read(fds[0], &byte, 1) != 1)
		return 0;
	return byte;
}
