#include "ewsagent/spawn.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/port.h"

/* Index 0 is read from, 1 written to; pipe 3 reports a failed exec. Those
 * that are not wanted are -1. */
struct pipes {
	int ends[4][2];
};

struct failure {
	int error;
	bool chdir;
};

static void
close_pipes(struct pipes *p)
{
	int i;

	for (i = 0; i < 8; i++) {
		int *end = &p->ends[i / 2][i % 2];

		if (*end != -1)
			close(*end);
		*end = -1;
	}
}

static bool
open_pipes(struct pipes *p, enum spawn_in in)
{
	int saved;

	memset(p, -1, sizeof *p);
	for (int i = 0; i < 4; i++) {
		if ((i == 0 && in != SPAWN_PIPE) || (i < 3 && in == SPAWN_NULL))
			continue;
		if (port_pipe(p->ends[i]) == 0) {
			/* dup2 onto 0..2 must not hit another pipe */
			assert(p->ends[i][0] > 2 && p->ends[i][1] > 2);
			continue;
		}
		saved = errno;
		close_pipes(p);
		errno = saved;
		return false;
	}
	return true;
}

/* Libraries, and whoever started us, may have left descriptors open to
 * children. /dev/fd lists ours on all systems we know. */
static void
fence(void)
{
	DIR *d = opendir("/dev/fd");
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		int fd = atoi(e->d_name);

		if (fd > 2)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(d);
}

static bool
arrange_fds(const struct spawn *s, const struct pipes *p)
{
	int from[3] = { p->ends[0][0], p->ends[1][1], p->ends[2][1] };

	if (s->in == SPAWN_FILE)
		from[0] = s->in_fd;
	if (s->in == SPAWN_NULL)
		from[0] = from[1] = from[2] =
		    open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(from[fd], fd) == -1)
			return false;
	for (unsigned i = 0; i < s->n_keep; i++)
		fcntl(s->keep[i], F_SETFD, 0);
	return true;
}

/* Between fork and exec: async-signal-safe calls only, and memory is our
 * parent's. */
static _Noreturn void
child(const struct spawn *s, const struct pipes *p, pid_t parent)
{
	struct failure f = { 0, false };
	sigset_t none;
	int n;

	setsid();
	for (n = 1; n < NSIG; n++)
		signal(n, SIG_DFL);
	umask(022);
	if (s->with_us)
		port_die_with(parent, SIGKILL);
	if (arrange_fds(s, p)) {
		f.chdir = chdir(s->cwd) == -1;
		if (!f.chdir) {
			sigemptyset(&none);
			sigprocmask(SIG_SETMASK, &none, NULL);
			execve(s->path, s->argv, s->env);
		}
	}
	f.error = errno;
	while (write(p->ends[3][1], &f, sizeof f) == -1 && errno == EINTR)
		continue;
	_exit(EXIT_NOT_STARTED);
}

/* With all signals blocked, so that none of our handlers runs in the child
 * and writes into the loop's own pipe, or over our memory. */
static pid_t
fork_quietly(const struct spawn *s, const struct pipes *p)
{
	sigset_t all, before;
	pid_t pid, parent = getpid();
	int saved;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* posix_spawn cannot do what child does: see there for what it may */
	pid = PORT_FORK_TO_EXEC(); /* NOLINT(*insecureAPI.vfork) */
	if (pid == 0)
		child(s, p, parent); /* NOLINT(*-unix.Vfork) */
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

/* True if the program runs. The pipe closes when it is executed. */
static bool
executed(struct pipes *p, pid_t pid, struct failure *f)
{
	ssize_t n;

	close(p->ends[3][1]);
	p->ends[3][1] = -1;
	do
		n = read(p->ends[3][0], f, sizeof *f);
	while (n == -1 && errno == EINTR);
	if (n == 0)
		return true;
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		continue;
	return false;
}

static bool
is_shortage(int error)
{
	return error == EAGAIN || error == ENOMEM || error == EMFILE ||
	       error == ENFILE || error == ETXTBSY;
}

static pid_t
refuse(const char *what, const struct failure *f, bool *later, struct err *err)
{
	*later = is_shortage(f->error);
	err_set(err, EXIT_NOT_STARTED, "internal", "%s: %s", what,
	    f->error == ENOEXEC  ? "is no program (no #! line?)"
	    : f->error == ENOENT ? "it or its interpreter is missing"
				 : strerror(f->error));
	return -1;
}

pid_t
spawn_start(const struct spawn *s, int fds[3], bool *later, struct err *err)
{
	struct failure f = { 0, false };
	struct pipes p;
	pid_t pid;

	if (!open_pipes(&p, s->in)) {
		f.error = errno;
		return refuse("no pipe", &f, later, err);
	}
	fence();
	pid = fork_quietly(s, &p);
	if (pid == -1) {
		f.error = errno;
		close_pipes(&p);
		return refuse("no process", &f, later, err);
	}
	if (!executed(&p, pid, &f)) {
		close_pipes(&p);
		return refuse(f.chdir ? s->cwd : s->path, &f, later, err);
	}
	if (s->in != SPAWN_NULL) {
		fds[0] = p.ends[0][1];
		fds[1] = p.ends[1][0];
		fds[2] = p.ends[2][0];
		p.ends[0][1] = p.ends[1][0] = p.ends[2][0] = -1;
	}
	close_pipes(&p);
	return pid;
}
