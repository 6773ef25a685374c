#include "ewsctl/cron_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ewsctl/cron_tail.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/port.h"

extern char **environ;

/* What a pipe of the job may still hold when it has ended. More comes from
 * somebody it left behind, and that is not waited for. */
enum { LEFT_IN_PIPE = 1 << 20 };

/* ---- signals --------------------------------------------------------------- */

static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1,
	SIGUSR2 };
enum { N_PASSED = sizeof passed_on / sizeof *passed_on };
static struct sigaction before[N_PASSED];
static int wake[2] = { -1, -1 };

/* What the terminal sends, its whole group gets, so the job has it. */
static bool
by_terminal(const siginfo_t *info)
{
#ifdef SI_KERNEL
	return info->si_code == SI_KERNEL;
#else
	return info->si_pid == 0;
#endif
}

static void
on_signal(int number, siginfo_t *info, void *context)
{
	unsigned char byte = (unsigned char)number;
	int saved = errno;
	ssize_t n;

	(void)context;
	if (number == SIGCHLD || by_terminal(info))
		byte |= 0x80; /* only wakes */
	n = write(wake[1], &byte, 1);
	(void)n;
	errno = saved;
}

void
cron_signals(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal,
		.sa_flags = SA_RESTART | SA_SIGINFO };

	if (port_pipe(wake) == -1)
		return;
	fcntl(wake[0], F_SETFL, O_NONBLOCK);
	fcntl(wake[1], F_SETFL, O_NONBLOCK);
	sigemptyset(&sa.sa_mask);
	sigaction(SIGCHLD, &sa, NULL);
	for (int i = 0; i < N_PASSED; i++) {
		sigaction(passed_on[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN) /* nohup(1) */
			sigaction(passed_on[i], &sa, NULL);
	}
}

void
cron_signals_reset(void)
{
	for (int i = 0; i < N_PASSED; i++)
		sigaction(passed_on[i], &before[i], NULL);
	signal(SIGCHLD, SIG_DFL);
}

/* Passes on what came to 'pid' (-1: nobody). True if one of them would
 * have ended us. */
static bool
take_signals(pid_t pid)
{
	unsigned char byte;
	bool leave = false;

	while (read(wake[0], &byte, 1) == 1) {
		int number = byte & 0x7f;

		if (number == SIGCHLD)
			continue;
		leave = true;
		if (pid != -1 && (byte & 0x80) == 0)
			kill(pid, number);
	}
	return leave;
}

/* ---- starting ---------------------------------------------------------------- */

/* In the child. Returns only if the program cannot be started. */
static void
become(char **argv, char **env, int out, int err)
{
	cron_signals_reset();
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (dup2(out, STDOUT_FILENO) == -1 || dup2(err, STDERR_FILENO) == -1)
		return;
	environ = env;
	execvp(argv[0], argv);
}

/* Waits until the exec succeeded (then 0) or gives its errno. */
static int
exec_result(int fd)
{
	int why = 0;

	while (read(fd, &why, sizeof why) == -1 && errno == EINTR)
		;
	return why;
}

static void
not_started(struct cron_child *c, const char *name, int why, struct err *err)
{
	char text[ERR_TEXT_MAX];
	int len;

	err_set(err, why == ENOENT ? EXIT_NO_HANDLER : EXIT_REFUSED, "usage",
	    "%s: %s", name, strerror(why));
	c->ended = true;
	c->exit_code = err->status;
	len = snprintf(text, sizeof text, "%.500s\n", err->text);
	cron_tail_add(c, text, (size_t)len);
}

static void
close_pair(int fds[2])
{
	if (fds[0] != -1)
		close(fds[0]);
	if (fds[1] != -1)
		close(fds[1]);
}

static int
start(struct cron_child *c, char **argv, char **env, int out[2], int err[2],
    int said[2])
{
	int why;

	if (port_pipe(out) == -1 || port_pipe(err) == -1 ||
	    port_pipe(said) == -1)
		return errno;
	c->pid = fork();
	if (c->pid == -1)
		return errno;
	if (c->pid == 0) {
		ssize_t n;

		become(argv, env, out[1], err[1]);
		why = errno;
		n = write(said[1], &why, sizeof why);
		(void)n;
		_exit(EXIT_NO_HANDLER);
	}
	close(said[1]);
	said[1] = -1;
	why = exec_result(said[0]);
	if (why != 0) {
		waitpid(c->pid, NULL, 0);
		c->pid = -1;
	}
	return why;
}

static void
stream_init(struct cron_stream *s, int from, int to, bool hold)
{
	s->from = from;
	s->to = to;
	s->held = hold ? spill_new() : NULL;
	s->len = s->at = 0;
	if (from != -1)
		fcntl(from, F_SETFL, O_NONBLOCK);
}

void
cron_child_start(
    struct cron_child *c, char **argv, char **env, bool hold, struct err *err)
{
	int out[2] = { -1, -1 }, errs[2] = { -1, -1 }, said[2] = { -1, -1 };
	int why;

	c->pid = -1;
	c->exit_code = -1;
	c->started_ms = clock_wall(&clock_system);
	c->started_mono = clock_mono(&clock_system);
	why = start(c, argv, env, out, errs, said);
	close_pair(said);
	if (why != 0) {
		close_pair(out);
		close_pair(errs);
		stream_init(&c->streams[0], -1, STDOUT_FILENO, hold);
		stream_init(&c->streams[1], -1, STDERR_FILENO, hold);
		not_started(c, argv[0], why, err);
		return;
	}
	close(out[1]);
	close(errs[1]);
	stream_init(&c->streams[0], out[0], STDOUT_FILENO, hold);
	stream_init(&c->streams[1], errs[0], STDERR_FILENO, hold);
}

/* ---- listening ---------------------------------------------------------------- */

static void
stream_over(struct cron_stream *s)
{
	if (s->from != -1)
		close(s->from);
	s->from = -1;
}

static void
stream_read(struct cron_child *c, struct cron_stream *s)
{
	ssize_t n = read(s->from, s->bytes, sizeof s->bytes);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stream_over(s);
		return;
	}
	cron_tail_add(c, s->bytes, (size_t)n);
	if (s->held != NULL) {
		spill_add(s->held, s->bytes, (size_t)n);
		return;
	}
	s->len = (size_t)n;
	s->at = 0;
}

/* Only as much as poll(2) promised room for, so that a reader which stands
 * still does not make us deaf to signals. One that has left is for the job
 * to notice. */
static void
stream_write(struct cron_stream *s)
{
	size_t len = s->len - s->at;
	ssize_t n;

	n = write(s->to, s->bytes + s->at, len < PIPE_BUF ? len : PIPE_BUF);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		s->len = s->at = 0;
		stream_over(s);
		return;
	}
	s->at += (size_t)n;
	if (s->at == s->len)
		s->at = s->len = 0;
}

static bool
stream_busy(const struct cron_stream *s)
{
	return s->from != -1 || s->len > 0;
}

static struct pollfd
stream_poll(const struct cron_stream *s)
{
	if (s->len > 0)
		return (struct pollfd){ s->to, POLLOUT, 0 };
	return (struct pollfd){ s->from, POLLIN, 0 };
}

/* False if there was nothing to do in the time given. */
static bool
turn(struct cron_child *c, int timeout)
{
	struct pollfd p[3] = { stream_poll(&c->streams[0]),
		stream_poll(&c->streams[1]), { wake[0], POLLIN, 0 } };

	if (poll(p, 3, timeout) <= 0)
		return false;
	if (p[2].revents != 0)
		take_signals(c->ended ? -1 : c->pid);
	for (int i = 0; i < 2; i++) {
		struct cron_stream *s = &c->streams[i];

		if (p[i].revents == 0)
			continue;
		if (s->len > 0)
			stream_write(s);
		else
			stream_read(c, s);
	}
	return p[0].revents != 0 || p[1].revents != 0;
}

static void
check_end(struct cron_child *c)
{
	int status;

	if (c->ended || waitpid(c->pid, &status, WNOHANG) != c->pid)
		return;
	c->ended = true;
	c->duration_ms = clock_mono(&clock_system) - c->started_mono;
	if (WIFSIGNALED(status))
		c->signal = WTERMSIG(status);
	else
		c->exit_code = WEXITSTATUS(status);
}

void
cron_child_wait(struct cron_child *c)
{
	uint64_t enough;

	while (!c->ended) {
		turn(c, wake[0] != -1 ? -1 : 100);
		check_end(c);
	}
	enough = c->total + LEFT_IN_PIPE;
	while ((stream_busy(&c->streams[0]) || stream_busy(&c->streams[1])) &&
	       c->total < enough) {
		bool unwritten = c->streams[0].len + c->streams[1].len > 0;

		if (!turn(c, unwritten ? -1 : 0) && !unwritten)
			break;
	}
	stream_over(&c->streams[0]);
	stream_over(&c->streams[1]);
}

void
cron_child_show(struct cron_child *c)
{
	for (int i = 0; i < 2; i++) {
		struct spill *held = c->streams[i].held;

		if (held == NULL)
			continue;
		spill_emit(held, c->streams[i].to);
		if (spill_lost(held) > 0)
			fprintf(stderr,
			    "ewsctl: the last %llu bytes of its %s had no room"
			    "\n",
			    (unsigned long long)spill_lost(held),
			    i == 0 ? "stdout" : "stderr");
	}
}

void
cron_child_fini(struct cron_child *c)
{
	spill_free(c->streams[0].held);
	spill_free(c->streams[1].held);
}

void
cron_reap(pid_t pid, int64_t ms)
{
	int64_t until = clock_mono(&clock_system) + ms, left = ms;
	bool leave = false;

	while (waitpid(pid, NULL, WNOHANG) == 0) {
		struct pollfd p = { wake[0], POLLIN, 0 };

		if (leave || left <= 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			return;
		}
		if (poll(&p, 1, (int)left) > 0)
			leave = take_signals(-1);
		left = until - clock_mono(&clock_system);
	}
}
