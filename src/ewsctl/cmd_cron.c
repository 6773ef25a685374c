/* a local job of cron or the like, of which the hub is told */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "ewsctl/ask.h"
#include "ewsctl/cron.h"
#include "ewsctl/cron_child.h"
#include "ewsctl/cron_spool.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/prog.h"
#include "lib/str.h"

extern char **environ;

/* The hub may be told that long when the job has ended. */
enum { TELL_MS = 2000, GRACE_MS = 10 * 60 * 1000 };

struct cron {
	struct ask *ask;
	const char *name;
	char host[ID_NAME_MAX + 1], run_id[ID_UUID_SIZE];
	char dir[PATH_SIZE], spool[PATH_SIZE];
	bool records; /* there is a place for them */
	int lock; /* -1: none */
	pid_t sender; /* -1: none */
	struct cron_child child;
};

static char **job_environ;

/* conf_load takes our variables out; the job is to see them. */
void
cron_keep_environment(void)
{
	size_t n = 0;

	while (environ[n] != NULL)
		n++;
	job_environ = mem_alloc((n + 1) * sizeof *job_environ);
	for (size_t i = 0; i < n; i++)
		job_environ[i] = mem_dup(environ[i]);
}

static void
tell(const struct cron *c, const char *what, const struct err *why)
{
	struct err e = ERR_INIT;

	err_set(&e, EXIT_IO, "io", "cron %s: %s: %s", c->name, what, why->text);
	prog_fail(&e);
}

/* ---- records --------------------------------------------------------------- */

static json_t *
a_record(const struct cron *c, const char *event, int64_t at_ms)
{
	const struct conf *k = c->ask->conf;
	int64_t grace =
	    conf_is_default(k, SET_grace) ? GRACE_MS : conf_int(k, SET_grace);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "op",
	    "job_record", "host", c->host, "name", c->name, "run_id", c->run_id,
	    "event", event, "at_ms", (json_int_t)at_ms, "every_ms",
	    (json_int_t)conf_int(k, SET_every), "grace_ms", (json_int_t)grace);
}

static void
put_output(json_t *record, const struct cron_child *child)
{
	size_t len;
	char *bytes = cron_child_tail(child, &len), *coded;

	if (str_utf8(bytes, len, false)) {
		json_object_set_new(record, "output", json_stringn(bytes, len));
	} else {
		coded = str_b64(bytes, len);
		json_object_set_new(record, "output64", json_string(coded));
		free(coded);
	}
	json_object_set_new(
	    record, "output_bytes", json_integer((json_int_t)child->total));
	free(bytes);
}

static json_t *
end_record(const struct cron *c)
{
	const struct cron_child *child = &c->child;
	json_t *r = a_record(c, "end", child->started_ms + child->duration_ms);

	json_object_set_new(r, "duration_ms", json_integer(child->duration_ms));
	if (child->signal > 0)
		json_object_set_new(r, "signal", json_integer(child->signal));
	else
		json_object_set_new(
		    r, "exit_code", json_integer(child->exit_code));
	put_output(r, child);
	return r;
}

/* Takes the record. To the disk first, then to the hub. */
static void
record(struct cron *c, json_t *r)
{
	struct err err = ERR_INIT;
	unsigned dropped = 0;

	if (!c->records || !cron_spool_put(c->spool, r, &dropped, &err)) {
		if (c->records)
			tell(c, "no record is kept", &err);
		json_decref(r);
		return;
	}
	json_decref(r);
	if (dropped > 0)
		fprintf(stderr,
		    "ewsctl: cron %s: the hub has not been reached for long: "
		    "%u of its oldest records were dropped\n",
		    c->name, dropped);
	if (c->sender != -1)
		cron_reap(c->sender, 0);
	c->sender = cron_spool_send(c->spool, c->ask, NULL);
}

/* What is on its way may take its time, but not ours. */
static void
settle(struct cron *c)
{
	if (c->sender != -1)
		cron_reap(c->sender, TELL_MS);
	c->sender = -1;
}

/* ---- one at a time ----------------------------------------------------------- */

/* False if another run holds the lock. Without a place for a lock the job
 * runs all the same: it would without us, too. */
static bool
lock(struct cron *c)
{
	char path[PATH_SIZE], name[ID_NAME_MAX + 8];
	struct err err = ERR_INIT;

	c->lock = -1;
	if (conf_bool(c->ask->conf, SET_overlap))
		return true;
	snprintf(name, sizeof name, "%s.lock", c->name);
	if (!path_join(path, c->dir, name, &err)) {
		tell(c, "it is not locked", &err);
		return true;
	}
	c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (c->lock != -1 && flock(c->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (c->lock != -1 && errno == EWOULDBLOCK)
		return false;
	err_set(&err, EXIT_IO, "io", "%s: %s", path, strerror(errno));
	tell(c, "it is not locked", &err);
	return true;
}

static int
overlap(struct cron *c, struct err *err)
{
	record(c, a_record(c, "overlap", clock_wall(&clock_system)));
	settle(c);
	err_set(err, EXIT_RETRY, "too_many",
	    "cron %s: the run before still goes on; nothing was started",
	    c->name);
	return err->status;
}

/* ---- the verb ------------------------------------------------------------------ */

static bool
find_dir(struct cron *c, struct err *err)
{
	const char *given = conf_str(c->ask->conf, SET_state_dir);
	char state[PATH_SIZE];

	if (given != NULL && !str_copy(state, sizeof state, given)) {
		err_set(err, EXIT_CONFIG, "config",
		    "the state directory's name is too long");
		return false;
	}
	return (given != NULL || path_state(state, "ewsctl", err)) &&
	       path_join(c->dir, state, "cron", err) &&
	       path_join(c->spool, c->dir, "spool", err) &&
	       path_private_dir(c->dir, err) && cron_spool_open(c->spool, err);
}

static bool
take_names(struct cron *c, struct err *err)
{
	const char *host = conf_str(c->ask->conf, SET_host);

	c->name = c->ask->argv[0];
	if (host != NULL)
		str_copy(c->host, sizeof c->host, host);
	else if (gethostname(c->host, sizeof c->host - 1) == -1)
		str_copy(c->host, sizeof c->host, "localhost");
	if (id_name_ok(c->name) && id_name_ok(c->host))
		return true;
	err_set(err, EXIT_USAGE_, "usage",
	    "%s: not a name (1 to %d bytes, no \"/\", no control characters)",
	    id_name_ok(c->name) ? "--host" : "NAME", ID_NAME_MAX);
	return false;
}

static int
run(struct cron *c, struct err *err)
{
	struct cron_child *child = &c->child;
	int status;

	cron_child_start(child, c->ask->argv + 1, job_environ,
	    conf_bool(c->ask->conf, SET_quiet_unless_failed), err);
	record(c, a_record(c, "start", child->started_ms));
	cron_child_wait(child);
	status = child->signal > 0 ? EXIT_SIGNALLED + child->signal
				   : child->exit_code;
	if (status != 0)
		cron_child_show(child);
	record(c, end_record(c));
	settle(c);
	cron_child_fini(child);
	return status;
}

int
cmd_cron(struct ask *a, struct err *err)
{
	struct cron *c = mem_alloc(sizeof *c);
	struct err why = ERR_INIT;
	int status;

	c->ask = a;
	c->lock = c->sender = -1;
	if (!take_names(c, err)) {
		free(c);
		return err->status;
	}
	cron_signals();
	id_uuid7(c->run_id, clock_wall(&clock_system));
	c->records = find_dir(c, &why);
	if (!c->records)
		tell(c, "no record is kept, and it is not locked", &why);
	if (c->records && !lock(c))
		status = overlap(c, err);
	else
		status = run(c, err);
	if (c->lock != -1)
		close(c->lock);
	free(c);
	return status;
}
