/*
 * run_kit - runs of handlers under the real shim, and what was told of them
 */
#ifndef EWS_TESTS_RUN_KIT_H
#define EWS_TESTS_RUN_KIT_H

#include "check.h"

#include <errno.h>
#include <signal.h>

#include "ewsagent/jobdir.h"
#include "ewsagent/run.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/port.h"
#include "lib/str.h"
#include "net/timer.h"
#include "scratch.h"

struct seen {
	struct loop *loop;
	struct runs *runs;
	struct run *run;
	char dir[600]; /* STATE/jobs */
	struct run_end end;
	unsigned starts, ends, fails, losses;
	bool later;
	char error[ERR_TEXT_MAX];
	uint64_t kept[2], poured;
	bool shut;
	unsigned notices;
	/* what stops the loop beside an end */
	bool at_start, at_shut;
	bool asks; /* something of the run, at its events */
	uint64_t at_kept, at_poured;
};

static inline void
seen_started(void *arg, int64_t ms)
{
	struct seen *s = arg;

	assert_true(ms > 0);
	s->starts++;
	if (s->asks)
		run_stop_keeping(s->run);
	if (s->at_start)
		loop_stop(s->loop);
}

static inline void
seen_output(void *arg, int stream, uint64_t kept)
{
	struct seen *s = arg;

	assert_true(kept >= s->kept[stream]);
	s->kept[stream] = kept;
	s->notices++;
	if (s->asks)
		run_stop_keeping(s->run);
	if (s->at_kept > 0 && s->kept[0] >= s->at_kept)
		loop_stop(s->loop);
}

static inline void
seen_input(void *arg, uint64_t offset, bool closed)
{
	struct seen *s = arg;

	s->poured = offset;
	s->shut = closed;
	if ((s->at_shut && closed) ||
	    (s->at_poured > 0 && offset >= s->at_poured))
		loop_stop(s->loop);
}

static inline void
seen_end(void *arg, const struct run_end *end)
{
	struct seen *s = arg;

	s->end = *end;
	s->ends++;
	s->run = NULL;
	loop_stop(s->loop);
}

static inline void
seen_failed(void *arg, bool later, const char *error)
{
	struct seen *s = arg;

	s->later = later;
	str_copy(s->error, sizeof s->error, error);
	s->fails++;
	s->run = NULL;
	loop_stop(s->loop);
}

static inline void
seen_lost(void *arg)
{
	struct seen *s = arg;

	s->losses++;
	s->run = NULL;
	loop_stop(s->loop);
}

static const struct run_events seen_events = { seen_started, seen_output,
	seen_input, seen_end, seen_failed, seen_lost };

/* The one that was built with this test. */
static inline void
shim_path(char out[PATH_SIZE])
{
	char *slash;

	assert_true(port_program(out, PATH_SIZE - 32));
	slash = strrchr(out, '/');
	strcpy(slash, "/../ewsagent-shim");
}

static inline void
seen_open(struct seen *s, struct scratch *dir)
{
	char shim[PATH_SIZE];
	struct runs_config c = { .shim = shim, .events = &seen_events };
	struct err err = ERR_INIT;

	memset(s, 0, sizeof *s);
	snprintf(s->dir, sizeof s->dir, "%s/jobs", dir->dir);
	shim_path(shim);
	c.dir = s->dir;
	c.loop = s->loop = loop_new();
	s->runs = runs_new(&c, &err);
	if (s->runs == NULL)
		fail_msg("%s", err.text);
}

static inline void
seen_close(struct seen *s)
{
	runs_free(s->runs);
	loop_free(s->loop);
}

static char *const plain_env[] = { (char *)"PATH=/usr/bin:/bin", NULL };
static char *const plain_argv[] = { (char *)"handler", NULL };

static inline struct run_spec
plain_spec(const char *id, const char *path)
{
	return (struct run_spec){ .id = id,
		.path = path,
		.argv = plain_argv,
		.env = plain_env,
		.cwd = "/",
		.payload = "{}",
		.deadline_ms = 60000,
		.grace_ms = 1000,
		.output_max = 1 << 30 };
}

static inline void
seen_start(struct seen *s, const struct run_spec *spec)
{
	struct err err = ERR_INIT;
	bool later;

	s->run = run_start(s->runs, spec, s, &later, &err);
	if (s->run == NULL)
		fail_msg("%s", err.text);
	assert_true(run_pid(s->run) > 0);
}

/* Runs it to its end. */
static inline void
seen_run(struct seen *s, const struct run_spec *spec)
{
	seen_start(s, spec);
	loop_run(s->loop);
	if (s->fails > 0)
		fail_msg("%s", s->error);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->starts, 1);
}

static inline const char *
script(struct scratch *dir, const char *text)
{
	char *body = mem_printf("#!/bin/sh\n%s\n", text);
	const char *path =
	    scratch_write(dir, "script", body, strlen(body), 0755);

	free(body);
	return path;
}

/* The start of a stream as a text; lent until the next. */
static inline const char *
seen_text(const struct seen *s, const char *id, int stream)
{
	static char text[65536];
	size_t n = run_read(s->runs, id, stream, 0, text, sizeof text - 1);

	text[n] = '\0';
	return text;
}

static inline int
open_jobs(const struct seen *s)
{
	int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd != -1);
	return fd;
}

/* A job's directory; to be closed. */
static inline int
open_job(const struct seen *s, const char *id)
{
	char name[JOBDIR_NAME_SIZE];
	int jobs = open_jobs(s), dir;

	jobdir_name(name, id);
	dir = jobdir_open(jobs, name);
	close(jobs);
	return dir;
}

/* Until the shim of a command has left its lock. */
static inline void
wait_unheld(const struct seen *s, const char *id)
{
	int dir = open_job(s, id);

	assert_true(dir != -1);
	while (jobdir_held(dir))
		usleep(5000);
	close(dir);
}

#endif
