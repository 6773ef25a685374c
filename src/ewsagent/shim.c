/*
 * ewsagent-shim - stays with one handler, whatever becomes of the agent
 *
 *   ewsagent-shim LOCK LISTENER
 *
 * Started by ewsagent in the directory of a command (jobdir.h), with two
 * descriptors that it inherits. Runs what 'spec' there says, writes down
 * what it writes, ends it at its deadline, writes down its end, and leaves.
 * One thread and poll(2), and no library but libcrypto: there is one of
 * these for every running handler.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ewsagent/shim_priv.h"
#include "ewsagent/spawn.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/str.h"

static int signal_pipe;

int64_t
shim_now(void)
{
	return clock_mono(&clock_system);
}

static void
on_signal(int number)
{
	int saved = errno;
	char byte = (char)number;
	ssize_t n = write(signal_pipe, &byte, 1);

	(void)n; /* full: then there is one in it already */
	errno = saved;
}

static void catch (int number)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigemptyset(&sa.sa_mask);
	sa.sa_flags = SA_RESTART;
	sigaction(number, &sa, NULL);
}

/* Held until we end; its text is for people who look for us. */
static void
keep_lock(struct shim *s, int fd)
{
	s->lock = fd;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (dprintf(fd, "%ld\n", (long)getpid()) < 0)
		return; /* the disk is full: it is held all the same */
}

/* TERM is for the handler, INT and HUP are for those with a terminal. */
static bool
set_apart(struct shim *s)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* past RLIMIT_FSIZE: as a full disk */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setsid(); /* who started us has done so, if it was ewsagent */
	port_subreaper();
	if (port_pipe(s->signals) == -1)
		return false;
	fcntl(s->signals[0], F_SETFL, O_NONBLOCK);
	fcntl(s->signals[1], F_SETFL, O_NONBLOCK);
	signal_pipe = s->signals[1];
	catch (SIGTERM);
	catch (SIGCHLD);
	return true;
}

bool
shim_forgotten(const struct shim *s)
{
	struct stat st;

	return fstat(s->lock, &st) == 0 && st.st_nlink == 0;
}

void
shim_ask(struct shim *s, int signal, int64_t grace_ms, enum run_why why)
{
	int64_t due =
	    shim_now() +
	    (grace_ms < RUN_GRACE_MAX_MS ? grace_ms : RUN_GRACE_MAX_MS);

	if (s->state > SHIM_ASKED)
		return; /* exited by itself: that end counts */
	if (s->state == SHIM_ALIVE)
		s->end.why = why;
	/* who asks again may shorten the wait, and never put off the KILL */
	if (s->state == SHIM_ALIVE || due < s->due)
		s->due = due;
	s->state = SHIM_ASKED;
	kill(-s->pid, signal);
}

static void
on_exit_status(struct shim *s, int status)
{
	s->end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	s->end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	s->end.ended_ms = clock_wall(&clock_system);
	s->end.duration_ms = shim_now() - s->started_mono;
	s->state = SHIM_EXITED;
	s->due = shim_now() + RUN_LINGER_MS;
}

/* Also orphans of the handler, which fall to us. */
static void
reap(struct shim *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->pid && s->state < SHIM_EXITED)
			on_exit_status(s, status);
		/* at once: later its number may be another group's */
		if (s->state >= SHIM_EXITED && !s->group_gone)
			s->group_gone = kill(-s->pid, 0) == -1;
	}
}

static void
on_signals(struct shim *s)
{
	char numbers[64];
	ssize_t n;

	while ((n = read(s->signals[0], numbers, sizeof numbers)) > 0)
		if (memchr(numbers, SIGTERM, (size_t)n) != NULL)
			shim_ask(s, SIGTERM, s->spec.grace_ms, RUN_SELF);
	reap(s);
}

static void
on_output(struct shim *s, int i)
{
	uint64_t before = spool_kept(s->spools[i]);
	ssize_t n = read(s->out[i], s->bytes, sizeof s->bytes);

	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(s->out[i]);
		s->out[i] = -1;
		return;
	}
	spool_add(s->spools[i], s->bytes, (size_t)n);
	if (spool_kept(s->spools[i]) != before)
		s->conn.tell_output[i] = true;
}

static void
on_due(struct shim *s)
{
	switch (s->state) {
	case SHIM_ALIVE:
		shim_ask(s, SIGTERM, s->spec.grace_ms, RUN_TIMEOUT);
		break;
	case SHIM_ASKED:
		kill(-s->pid, SIGKILL);
		s->due = INT64_MAX;
		break;
	case SHIM_EXITED:
		shim_end_begin(s);
		break;
	case SHIM_ENDED:
		shim_end_step(s);
		break;
	}
}

static int
time_left(const struct shim *s)
{
	int64_t left = s->due - shim_now();

	if (s->due == INT64_MAX)
		return -1;
	return left < 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

enum { P_SIGNALS, P_LISTENER, P_OUT, P_ERR, P_IN, P_CONN, P_COUNT };

static void
turn(struct shim *s)
{
	struct pollfd p[P_COUNT] = {
		{ .fd = s->signals[0], .events = POLLIN },
		{ .fd = s->listener, .events = POLLIN },
		{ .fd = s->out[0], .events = POLLIN },
		{ .fd = s->out[1], .events = POLLIN },
		{ .fd = s->input.fd, .events = shim_input_want(s) },
		{ .fd = s->conn.fd, .events = shim_conn_want(s) },
	};

	if (poll(p, P_COUNT, time_left(s)) == -1)
		return;
	if (p[P_SIGNALS].revents != 0)
		on_signals(s);
	for (int i = 0; i < 2; i++)
		if (p[P_OUT + i].revents != 0)
			on_output(s, i);
	if (s->input.fd != -1 && p[P_IN].revents != 0)
		shim_input_ready(s, p[P_IN].revents);
	if (s->conn.fd != -1 && p[P_CONN].revents != 0)
		shim_conn_ready(s, p[P_CONN].revents);
	if (p[P_LISTENER].revents != 0)
		shim_conn_accept(s);
	if (s->state == SHIM_EXITED && s->out[0] == -1 && s->out[1] == -1)
		shim_end_begin(s);
	if (s->due <= shim_now())
		on_due(s);
	if (s->state == SHIM_ENDED && s->written && !s->synced)
		shim_end_step(s);
}

static bool
read_spec(struct shim *s)
{
	size_t len;
	char *text = jobdir_read(s->dir, "spec", SHIM_SPEC_MAX, &len);

	/* lives as long as we do */
	return text != NULL && shim_spec_parse(&s->spec, text, len);
}

/* As for the end, until there is room: it will never run, and somebody
 * waits to hear it. What may work later is only tried again. */
static void
refuse(struct shim *s, bool later, const char *why)
{
	unsigned wait_s = 1;

	if (later)
		unlinkat(s->dir, "started", 0);
	while (!jobdir_put_failed(s->dir, later, why) && !later &&
	       !shim_forgotten(s)) {
		sleep(wait_s);
		wait_s = wait_s < 5 ? wait_s + 1 : 5;
	}
}

static bool
exec_handler(struct shim *s, int fds[3])
{
	struct spawn spawn = { .path = s->spec.path,
		.argv = s->spec.argv,
		.env = s->spec.env,
		.cwd = s->spec.cwd,
		.in = s->spec.stdin_stream ? SPAWN_PIPE : SPAWN_FILE,
		.in_fd = -1,
		.with_us = true };
	struct err err = ERR_INIT;
	bool later = true;

	if (!s->spec.stdin_stream) {
		spawn.in_fd = openat(s->dir, "payload", O_RDONLY | O_CLOEXEC);
		if (spawn.in_fd == -1) {
			refuse(s, true, strerror(errno));
			return false;
		}
	}
	s->pid = spawn_start(&spawn, fds, &later, &err);
	if (spawn.in_fd != -1)
		close(spawn.in_fd);
	if (s->pid == -1)
		refuse(s, later, err.text);
	return s->pid != -1;
}

static bool
start(struct shim *s)
{
	int fds[3];

	s->end.started_ms = clock_wall(&clock_system);
	s->started_mono = shim_now();
	if (!jobdir_start(s->dir, s->end.started_ms)) {
		refuse(s, true, strerror(errno));
		return false;
	}
	if (!exec_handler(s, fds))
		return false;
	s->due = s->started_mono + s->spec.deadline_ms;
	shim_input_init(s, fds[0]);
	for (int i = 0; i < 2; i++) {
		s->out[i] = fds[i + 1];
		/* a handler may read its own output, and be there first */
		fcntl(s->out[i], F_SETFL, O_NONBLOCK);
		s->spools[i] =
		    spool_new(s->dir, JOBDIR_STREAM(i), s->spec.output_max);
	}
	return true;
}

int
main(int argc, char **argv)
{
	static struct shim s = { .conn = { .fd = -1 } };
	uint64_t lock, listener;

	if (argc != 3 || !str_u64(argv[1], 3, INT_MAX, &lock) ||
	    !str_u64(argv[2], 3, INT_MAX, &listener)) {
		fprintf(stderr, "ewsagent-shim: is started by ewsagent(8)\n");
		return EXIT_USAGE_;
	}
	keep_lock(&s, (int)lock);
	fcntl((int)listener, F_SETFD, FD_CLOEXEC);
	s.listener = (int)listener;
	s.dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.dir == -1 || !set_apart(&s) || !read_spec(&s) || !start(&s))
		return EXIT_NOT_STARTED;
	while (!shim_end_done(&s))
		turn(&s);
	return EXIT_OK;
}
