#include "ewsagent/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#include "ewsagent/run_priv.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

void
run_path(const struct runs *set, char out[PATH_SIZE], const char *name,
    const char *file)
{
	snprintf(out, PATH_SIZE, "%.900s/%s/%s", set->dir, name, file);
}

/* ---- one run ------------------------------------------------------------ */

static void
on_timer(void *arg)
{
	struct run *r = arg;

	if (r->conn != NULL || run_connect(r))
		return;
	run_settle(r);
}

struct run *
run_new(struct runs *set, const char *name, void *arg)
{
	struct run *r = mem_alloc(sizeof *r);

	r->set = set;
	r->arg = arg;
	r->wait_ms = RUN_RETRY_MS;
	str_copy(r->name, sizeof r->name, name);
	r->timer = timer_new(set->loop, on_timer, r);
	DL_APPEND(set->list, r);
	return r;
}

void
run_free(struct run *r)
{
	DL_DELETE(r->set->list, r);
	run_disconnect(r);
	timer_free(r->timer);
	free(r);
}

/* The shim is there and we have no connection: EMFILE, or it was about to
 * end. */
static void
again(struct run *r)
{
	timer_set(r->timer, r->wait_ms);
	r->wait_ms = r->wait_ms * 2 < RUN_RETRY_MAX_MS ? r->wait_ms * 2
						       : RUN_RETRY_MAX_MS;
}

/* The end is synced and the spools are not: after a power cut they may be
 * shorter than it says. */
static void
clamp(int dir, struct run_end *end)
{
	struct stat st;

	for (int i = 0; i < 2; i++) {
		uint64_t size = 0;

		if (end->streams[i].kept == 0)
			continue;
		if (fstatat(dir, JOBDIR_STREAM(i), &st, AT_SYMLINK_NOFOLLOW) ==
		    0)
			size = (uint64_t)st.st_size;
		if (size < end->streams[i].kept)
			end->streams[i].kept = size;
	}
}

/* The lock first: once it is free, nothing is written any more. False if a
 * shortage hides what is there: 'nothing' would be run a second time. */
static bool
look_in(int dir, enum run_found *found, struct run_end *end, bool *later,
    struct err *err)
{
	struct jobdir_started started;
	bool held = jobdir_held(dir);
	bool hidden = !held && jobdir_is_short(errno);

	*found = RUN_ENDED;
	if (jobdir_end(dir, end)) {
		clamp(dir, end);
		return true;
	}
	hidden |= jobdir_is_short(errno);
	*found = RUN_FAILED;
	if (jobdir_failed(dir, later, err))
		return true;
	hidden |= jobdir_is_short(errno);
	*found = RUN_ALIVE;
	if (held || hidden)
		return held;
	*found = RUN_LOST;
	if (jobdir_started(dir, &started))
		return true;
	*found = RUN_NONE;
	return !jobdir_is_short(errno);
}

static bool
look(struct runs *set, const char *name, enum run_found *found,
    struct run_end *end, bool *later, struct err *err)
{
	int dir = jobdir_open(set->jobs, name);
	bool seen;

	if (dir == -1) {
		*found = errno == ENOENT ? RUN_NONE : RUN_LOST;
		return !jobdir_is_short(errno);
	}
	seen = look_in(dir, found, end, later, err);
	close(dir);
	return seen;
}

/* Of a short one the end is found before the shim has said a word: nothing
 * of what it would have told may be missing. */
static void
tell_rest(const struct run *r, const struct run_end *end)
{
	const struct run_events *e = r->set->events;

	if (!r->told_start)
		e->started(r->arg, end->started_ms);
	for (int i = 0; i < 2; i++)
		if (end->streams[i].kept > r->kept[i])
			e->output(r->arg, i, end->streams[i].kept);
}

void
run_settle(struct run *r)
{
	const struct run_events *e = r->set->events;
	struct err err = ERR_INIT;
	struct run_end end;
	bool later = true;
	enum run_found found;
	bool looked = look(r->set, r->name, &found, &end, &later, &err);
	void *arg = r->arg;

	if (!looked || found == RUN_ALIVE) {
		again(r);
		return;
	}
	if (found == RUN_ENDED)
		tell_rest(r, &end); /* which may ask things of the run */
	run_free(r);
	if (found == RUN_ENDED)
		e->end(arg, &end);
	else if (found == RUN_FAILED)
		e->failed(arg, later, err.text);
	else if (found == RUN_NONE)
		e->failed(arg, true, "its shim ended before it was started");
	else
		e->lost(arg);
}

enum run_found
run_find(struct runs *set, const char *id, void *arg, struct run **run,
    struct run_end *end, struct err *err)
{
	char name[JOBDIR_NAME_SIZE];
	struct err why = ERR_INIT;
	bool later = false, looked;
	enum run_found found;

	jobdir_name(name, id);
	looked = look(set, name, &found, end, &later, &why);
	if (looked && found == RUN_FAILED && later)
		return RUN_NONE;
	if (looked && found == RUN_FAILED)
		err_set(err, why.status, why.code, "%s", why.text);
	if (looked && found != RUN_ALIVE)
		return found;
	*run = run_new(set, name, arg);
	if (!run_connect(*run))
		timer_set((*run)->timer, 0);
	return RUN_ALIVE;
}

pid_t
run_pid(const struct run *r)
{
	return r->shim;
}

/* ---- on the disk -------------------------------------------------------- */

void
run_forget(struct runs *set, const char *id)
{
	char name[JOBDIR_NAME_SIZE];

	jobdir_name(name, id);
	if (!jobdir_remove(set->jobs, name))
		log_warn("%s/%s stays: %s", set->dir, name, strerror(errno));
}

size_t
run_read(const struct runs *set, const char *id, int stream, uint64_t offset,
    char *dst, size_t size)
{
	char file[JOBDIR_NAME_SIZE + 8], name[JOBDIR_NAME_SIZE];
	ssize_t n;
	int fd;

	jobdir_name(name, id);
	snprintf(file, sizeof file, "%s/%s", name, JOBDIR_STREAM(stream));
	fd = openat(set->jobs, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return 0;
	do
		n = pread(fd, dst, size, (off_t)offset);
	while (n == -1 && errno == EINTR);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

static bool
is_wanted(int dir, bool (*keep)(void *arg, const char *id), void *arg)
{
	char *id = jobdir_read(dir, "id", JOBDIR_ID_MAX, NULL);
	bool wanted = id != NULL ? keep(arg, id) : jobdir_is_short(errno);

	free(id);
	return wanted;
}

static void
sweep_one(struct runs *set, const char *name,
    bool (*keep)(void *arg, const char *id), void *arg)
{
	int dir = jobdir_open(set->jobs, name);
	bool wanted, held;

	if (dir == -1)
		return;
	wanted = is_wanted(dir, keep, arg);
	held = jobdir_held(dir) || jobdir_is_short(errno);
	close(dir);
	if (wanted)
		return;
	if (held)
		log_warn("%s/%s: a handler of an unknown command runs",
		    set->dir, name);
	else if (!jobdir_remove(set->jobs, name))
		log_warn("%s/%s stays: %s", set->dir, name, strerror(errno));
}

void
runs_sweep(struct runs *set, bool (*keep)(void *arg, const char *id), void *arg)
{
	DIR *d = opendir(set->dir);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			sweep_one(set, e->d_name, keep, arg);
	closedir(d);
}

/* ---- the set ------------------------------------------------------------ */

static bool
is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

bool
runs_shim_path(char out[PATH_SIZE], const char *setting, struct err *err)
{
	char own[PATH_SIZE] = "/";
	char *slash;

	if (setting != NULL && *setting != '\0') {
		if (str_copy(out, PATH_SIZE, setting) && is_program(out))
			return true;
		err_set(err, EXIT_CONFIG, "config",
		    "shim: %s is no program that we may run", setting);
		return false;
	}
	if (!port_program(own, sizeof own))
		str_copy(own, sizeof own, "/");
	slash = strrchr(own, '/');
	slash[1] = '\0';
	if (path_join(out, own, "ewsagent-shim", NULL) && is_program(out))
		return true;
	if (path_join(out, own, "../libexec/ews/ewsagent-shim", NULL) &&
	    is_program(out))
		return true;
	err_set(err, EXIT_CONFIG, "config",
	    "no ewsagent-shim beside ewsagent (%s) or in ../libexec/ews:"
	    " install it, or name it with --shim",
	    own);
	return false;
}

/* STATE/jobs/XXXXXXXXXXXXXXXX/sock has to fit into a sockaddr_un. */
static bool
fits(const char *dir, struct err *err)
{
	struct sockaddr_un sun;
	size_t rest = sizeof "/" - 1 + JOBDIR_NAME_SIZE - 1 + sizeof "/sock";
	size_t max = sizeof sun.sun_path - rest;

	if (strlen(dir) <= max)
		return true;
	err_set(err, EXIT_CONFIG, "config",
	    "%s is too long: a handler's socket is made in it, so that it may"
	    " have %zu bytes and not %zu; choose a shorter --state-dir",
	    dir, max, strlen(dir));
	return false;
}

/* Shims and handlers are elsewhere than we: they need whole paths. */
static bool
whole(char out[PATH_SIZE], const char *path, struct err *err)
{
	char *full = realpath(path, NULL);
	bool fit;

	if (full == NULL) {
		err_set(err, EXIT_CONFIG, "config", "%s: %s", path,
		    strerror(errno));
		return false;
	}
	fit = str_copy(out, PATH_SIZE, full);
	free(full);
	if (!fit)
		err_set(err, EXIT_CONFIG, "config",
		    "%s: the whole path is too long", path);
	return fit;
}

static void
on_child(uv_signal_t *s, int signal)
{
	(void)signal;
	runs_reap(s->data);
}

struct runs *
runs_new(const struct runs_config *c, struct err *err)
{
	char dir[PATH_SIZE], shim[PATH_SIZE];
	struct runs *set;
	int fd;

	/* before it is made, and with all that links and "." stand for */
	if (!fits(c->dir, err) || !path_private_dir(c->dir, err) ||
	    !whole(dir, c->dir, err) || !fits(dir, err) ||
	    !whole(shim, c->shim, err))
		return NULL;
	if (!is_program(shim)) {
		err_set(err, EXIT_CONFIG, "config", "%s: %s", shim,
		    strerror(errno));
		return NULL;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		err_set(err, EXIT_IO, "io", "%s: %s", dir, strerror(errno));
		return NULL;
	}
	set = mem_alloc(sizeof *set);
	set->jobs = fd;
	set->loop = c->loop;
	set->events = c->events;
	str_copy(set->dir, sizeof set->dir, dir);
	str_copy(set->shim, sizeof set->shim, shim);
	uv_signal_init(loop_uv(c->loop), &set->child);
	set->child.data = set;
	uv_signal_start(&set->child, on_child, SIGCHLD);
	return set;
}

static void
on_signal_closed(uv_handle_t *h)
{
	free(h->data);
}

void
runs_free(struct runs *set)
{
	struct run *r, *next;

	if (set == NULL)
		return;
	DL_FOREACH_SAFE (set->list, r, next)
		run_free(r);
	close(set->jobs);
	free(set->shims);
	uv_close((uv_handle_t *)&set->child, on_signal_closed);
}
