#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ewsagent/run_priv.h"
#include "ewsagent/shim_spec.h"
#include "ewsagent/spawn.h"
#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/str.h"

extern char **environ;

/* What a shim inherits. Made before the fork, in this order, so that a kill
 * of ours at any moment leaves nothing that could be taken for a run: the
 * lock is free until somebody has it who goes on without us. */
struct start {
	int dir, lock, listener;
};

static void
close_start(struct start *st)
{
	int *fds[] = { &st->listener, &st->lock, &st->dir };

	for (int i = 0; i < 3; i++)
		if (*fds[i] != -1)
			close(*fds[i]);
}

static bool
write_spec(const struct runs *set, const struct run_spec *spec,
    const char *name, int dir)
{
	struct shim_spec order = { .path = spec->path,
		.cwd = spec->cwd,
		.argv = spec->argv,
		.stdin_stream = spec->stdin_stream,
		.deadline_ms = spec->deadline_ms,
		.grace_ms = spec->grace_ms,
		.output_max = spec->output_max };
	/* the shim is elsewhere than we: a path from here would mislead it */
	char *cwd = realpath(spec->cwd, NULL);
	char path[PATH_SIZE], **env, *file;
	struct buf text;
	size_t n = 0;
	bool ok;

	while (spec->env[n] != NULL)
		n++;
	env = mem_alloc((n + 2) * sizeof *env);
	memcpy(env, spec->env, n * sizeof *env);
	run_path(set, path, name, "payload");
	env[n] = file = mem_printf("EWS_PAYLOAD_FILE=%s", path);
	order.env = env;
	if (cwd != NULL)
		order.cwd = cwd;
	buf_init(&text, SHIM_SPEC_MAX);
	shim_spec_text(&order, &text);
	errno = E2BIG;
	ok = !text.failed && jobdir_write(dir, "spec", text.bytes, text.len);
	buf_fini(&text);
	free(file);
	free(env);
	free(cwd);
	return ok;
}

/* The directory is ours alone, so that the socket's mode does not matter. */
static int
listen_in(const struct runs *set, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char path[PATH_SIZE];
	int fd = port_socket(AF_UNIX, SOCK_STREAM), saved;

	if (fd == -1)
		return -1;
	run_path(set, path, name, "sock");
	str_copy(sun.sun_path, sizeof sun.sun_path, path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0 &&
	    listen(fd, 8) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool
prepare(struct start *st, const struct runs *set, const struct run_spec *spec,
    const char *name)
{
	const char *payload = spec->payload != NULL ? spec->payload : "{}";

	*st = (struct start){ -1, -1, -1 };
	st->dir = jobdir_make(set->jobs, name);
	if (st->dir == -1)
		return false;
	st->lock = jobdir_lock(st->dir, true);
	if (st->lock == -1 ||
	    !jobdir_write(st->dir, "id", spec->id, strlen(spec->id)) ||
	    !jobdir_write(st->dir, "payload", payload, strlen(payload)) ||
	    !write_spec(set, spec, name, st->dir))
		return false;
	st->listener = listen_in(set, name);
	return st->listener != -1;
}

/* Ours, but for what a handler could read in /proc of its parent. */
static char **
environment(void)
{
	size_t n = 0, kept = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = mem_alloc((n + 1) * sizeof *env);
	for (size_t i = 0; i < n; i++)
		if (!str_starts(environ[i], "EDGE_SECRET="))
			env[kept++] = environ[i];
	return env;
}

static pid_t
start_shim(const struct runs *set, const char *name, const struct start *st,
    bool *later, struct err *err)
{
	char lock[16], listener[16], cwd[PATH_SIZE];
	char *argv[] = { (char *)"ewsagent-shim", lock, listener, NULL };
	char **env = environment();
	int keep[] = { st->lock, st->listener };
	struct spawn spawn = { .path = set->shim,
		.argv = argv,
		.env = env,
		.cwd = cwd,
		.in = SPAWN_NULL,
		.keep = keep,
		.n_keep = 2 };
	pid_t pid;

	snprintf(lock, sizeof lock, "%d", st->lock);
	snprintf(listener, sizeof listener, "%d", st->listener);
	path_join(cwd, set->dir, name, NULL);
	pid = spawn_start(&spawn, NULL, later, err);
	free(env);
	return pid;
}

static void
remember_child(struct runs *set, pid_t pid)
{
	if (set->n_shims == set->max_shims) {
		set->max_shims = set->max_shims * 2 + 16;
		set->shims = mem_realloc(
		    set->shims, set->max_shims * sizeof *set->shims);
	}
	set->shims[set->n_shims++] = pid;
}

void
runs_reap(struct runs *set)
{
	for (size_t i = set->n_shims; i-- > 0;)
		if (waitpid(set->shims[i], NULL, WNOHANG) != 0)
			set->shims[i] = set->shims[--set->n_shims];
}

/* Is there a handler of it that has not ended, or may there be one? */
static bool
is_running(const struct runs *set, const char *name)
{
	int dir = jobdir_open(set->jobs, name);
	struct run_end end;
	bool running, later;

	if (dir == -1)
		return jobdir_is_short(errno);
	running = (jobdir_held(dir) || jobdir_is_short(errno)) &&
		  !jobdir_end(dir, &end) && !jobdir_failed(dir, &later, NULL);
	close(dir);
	return running;
}

struct run *
run_start(struct runs *set, const struct run_spec *spec, void *arg, bool *later,
    struct err *err)
{
	char name[JOBDIR_NAME_SIZE];
	struct start st;
	struct run *r = NULL;
	pid_t pid = -1;

	jobdir_name(name, spec->id);
	*later = true;
	if (is_running(set, name)) {
		err_set(err, EXIT_INTERNAL, "internal", "it runs already");
		return NULL;
	}
	if (prepare(&st, set, spec, name))
		pid = start_shim(set, name, &st, later, err);
	else
		err_set(err, EXIT_IO, "io", "%s/%s: %s", set->dir, name,
		    strerror(errno));
	if (pid != -1) {
		remember_child(set, pid);
		r = run_new(set, name, arg);
		r->shim = pid;
		r->known = true;
		r->stream = spec->stdin_stream;
		if (!run_connect(r))
			timer_set(r->timer, 0);
	}
	close_start(&st);
	if (pid == -1)
		jobdir_remove(set->jobs, name);
	return r;
}
