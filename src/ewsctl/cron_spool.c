#include "ewsctl/cron_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ewsctl/cron_child.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/prog.h"
#include "lib/str.h"

enum {
	RECORD_MAX = 512 * 1024,
	NAMES_MAX = 4 * SPOOL_FILES, /* of a directory that others fill */
	EVENT_AT = ID_UUID_SIZE, /* in a file's name */
	CALL_MS = 10000,
	FILES_MAX = 256 /* above all that we open */
};

bool
cron_spool_open(const char *dir, struct err *err)
{
	return path_private_dir(dir, err);
}

/* ---- what is there --------------------------------------------------------- */

static const char *
run_of(const char *name)
{
	const char *dot = strchr(name + EVENT_AT, '.');

	return dot != NULL ? dot + 1 : "";
}

/* A name that is longer is still being written. */
static bool
is_record(const char *name)
{
	return strlen(name) > EVENT_AT && name[EVENT_AT - 1] == '.' &&
	       strlen(run_of(name)) == ID_UUID_SIZE - 1;
}

struct files {
	char *names[NAMES_MAX];
	off_t sizes[NAMES_MAX];
	size_t n;
	off_t bytes;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static off_t
size_of(const char *dir, const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	if (!path_join(path, dir, name, NULL) || lstat(path, &st) == -1 ||
	    !S_ISREG(st.st_mode))
		return 0;
	return st.st_size;
}

static struct files *
list(const char *dir)
{
	struct files *f = mem_alloc(sizeof *f);
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && f->n < NAMES_MAX && (e = readdir(d)) != NULL)
		if (is_record(e->d_name))
			f->names[f->n++] = mem_dup(e->d_name);
	if (d != NULL)
		closedir(d);
	qsort(f->names, f->n, sizeof *f->names, by_name);
	for (size_t i = 0; i < f->n; i++) {
		f->sizes[i] = size_of(dir, f->names[i]);
		f->bytes += f->sizes[i];
	}
	return f;
}

static void
files_free(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->names[i]);
	free(f);
}

/* ---- adding ------------------------------------------------------------------ */

static void
drop(const char *dir, struct files *f, size_t i)
{
	char path[PATH_SIZE];

	if (path_join(path, dir, f->names[i], NULL))
		unlink(path);
	f->bytes -= f->sizes[i];
	f->n--;
	free(f->names[i]);
	memmove(f->names + i, f->names + i + 1, (f->n - i) * sizeof *f->names);
	memmove(f->sizes + i, f->sizes + i + 1, (f->n - i) * sizeof *f->sizes);
}

/* The oldest run that has ended, or else the oldest record. */
static size_t
least_wanted(const struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!str_starts(f->names[i] + EVENT_AT, "start."))
			return i;
	return 0;
}

/* Both records of the run go: half of one would be a lie. */
static unsigned
drop_run(const char *dir, struct files *f, const char *kept)
{
	char run[256];
	unsigned n = 0;

	str_copy(run, sizeof run, run_of(f->names[least_wanted(f)]));
	for (size_t i = f->n; i-- > 0;) {
		if (!str_eq(run_of(f->names[i]), run) ||
		    str_eq(f->names[i], kept))
			continue;
		drop(dir, f, i);
		n++;
	}
	return n;
}

static unsigned
trim(const char *dir, const char *kept)
{
	struct files *f = list(dir);
	unsigned dropped = 0, n = 1;

	while (n > 0 && (f->n > SPOOL_FILES || f->bytes > SPOOL_BYTES)) {
		n = drop_run(dir, f, kept);
		dropped += n;
	}
	files_free(f);
	return dropped;
}

bool
cron_spool_put(
    const char *dir, const json_t *record, unsigned *dropped, struct err *err)
{
	char id[ID_UUID_SIZE], path[PATH_SIZE];
	char *text = js_write(record), *name;
	bool ok;

	id_uuid7(id, clock_wall(&clock_system));
	name = mem_printf(
	    "%s.%s.%s", id, js_str(record, "event"), js_str(record, "run_id"));
	ok = text != NULL && path_join(path, dir, name, err) &&
	     path_write(path, text, strlen(text), 0600, err);
	*dropped = ok ? trim(dir, name) : 0;
	free(name);
	free(text);
	return ok;
}

/* ---- sending ------------------------------------------------------------------ */

/* What can never be taken is no use to keep; what may be taken another time
 * lets the others pass. */
static bool
settle(const char *path, const struct err *why)
{
	switch (why->status) {
	case EXIT_OK:
		unlink(path);
		return true;
	case EXIT_DATA:
		prog_fail(why);
		unlink(path);
		return true;
	case EXIT_RETRY:
		return str_eq(why->code, "too_many");
	default:
		return false;
	}
}

/* False when the hub is not to be had. */
static bool
send_one(struct ask *a, const char *path)
{
	struct err err = ERR_INIT, bad = ERR_INIT;
	json_t *record, *result;
	size_t len;
	char *text = path_read_trusted(path, RECORD_MAX, &len, NULL, &err);

	if (text == NULL)
		return true; /* gone, or not ours */
	record = js_read_object(text, len, &bad);
	free(text);
	if (record == NULL)
		return settle(path, &bad);
	result = ctl_call(a->ctl, record, ask_deadline(CALL_MS), &err);
	json_decref(record);
	json_decref(result);
	return settle(path, &err);
}

/* One sender at a time, so that the order holds. */
static void
lock(const char *dir)
{
	char path[PATH_SIZE];
	int fd;

	if (!path_join(path, dir, "lock", NULL))
		return;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd != -1)
		flock(fd, LOCK_EX); /* held until we end */
}

static void
send_all(const char *dir, struct ask *a)
{
	char path[PATH_SIZE];
	struct files *f;
	bool more = true;

	lock(dir);
	if (!ask_hub(a, NULL))
		return;
	f = list(dir);
	for (size_t i = 0; more && i < f->n; i++)
		if (path_join(path, dir, f->names[i], NULL))
			more = send_one(a, path);
	files_free(f);
}

/* Nobody may wait for our end of the job's pipes, or for its lock. */
static void
leave_files(void)
{
	int null;

	for (int fd = STDERR_FILENO + 1; fd < FILES_MAX; fd++)
		close(fd);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null == -1)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
}

pid_t
cron_spool_send(const char *dir, struct ask *a, struct err *err)
{
	pid_t pid = fork();

	if (pid == -1)
		err_set(err, EXIT_IO, "io", "fork: %s", strerror(errno));
	if (pid != 0)
		return pid;
	cron_signals_reset();
	leave_files();
	send_all(dir, a);
	_exit(0);
}
