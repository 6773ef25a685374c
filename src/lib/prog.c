#include "lib/prog.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/port.h"
#include "lib/str.h"

static char program[32] = "ews";

/* A file opened later must not land on a descriptor that something writes
 * its messages to. */
static void
open_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

void
prog_init(const char *name)
{
	const char *slash = strrchr(name, '/');

	str_copy(program, sizeof program, slash != NULL ? slash + 1 : name);
	setlocale(LC_ALL, "C");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* past RLIMIT_FSIZE: EFBIG, as a full disk */
	open_standard_fds();
}

const char *
prog_name(void)
{
	return program;
}

const char *
prog_version(void)
{
	return EWS_VERSION;
}

int
prog_fail(const struct err *err)
{
	char text[2 * ERR_TEXT_MAX];

	str_escape(text, sizeof text, err->text, strlen(err->text));
	fprintf(stderr, "%s: %s\n", program, text);
	return err->status;
}

/* A reader like head(1) that has seen enough is no failure of ours. */
static bool
reader_left(void)
{
	struct pollfd p = { .fd = 1 };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

int
prog_end(int status)
{
	const char *why = ferror(stdout) ? "an earlier write failed" : NULL;

	if (fflush(stdout) == EOF)
		why = strerror(errno);
	if (why == NULL || reader_left())
		return status;
	fprintf(stderr, "%s: cannot write to stdout: %s\n", program, why);
	return EXIT_IO;
}

/* The protocol of sd_notify(3): one datagram. "@" is Linux's abstract name
 * space; elsewhere the variable is not set. */
static void
notify_systemd(void)
{
	static const char text[] = "READY=1";
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len;
	int fd;

	if (path == NULL || (*path != '/' && *path != '@') ||
	    !str_copy(sun.sun_path, sizeof sun.sun_path, path))
		return;
	len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (*path == '@')
		sun.sun_path[0] = '\0';
	fd = port_socket(AF_UNIX, SOCK_DGRAM);
	if (fd == -1)
		return;
	sendto(fd, text, sizeof text - 1, 0, (struct sockaddr *)&sun, len);
	close(fd);
}

void
prog_ready(int fd)
{
	static const char line[] = "READY\n";

	if (fd >= 0) {
		ssize_t n = write(fd, line, sizeof line - 1);

		(void)n; /* whoever waited has given up */
		close(fd);
	}
	notify_systemd();
}
