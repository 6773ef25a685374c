/*
 * store_jobs - the runs of local jobs that "ewsctl cron" tells of
 *
 * A job is known by host and name. Its runs are kept up to a number; what
 * it is to do (every, grace) is what its newest record said.
 */
#ifndef EWS_EWSD_STORE_JOBS_H
#define EWS_EWSD_STORE_JOBS_H

#include "ewsd/store/store.h"

enum store_job_event { JOB_START, JOB_END, JOB_OVERLAP };

struct store_job_record {
	const char *host, *name, *run_id;
	enum store_job_event event;
	int64_t at_ms;
	int64_t every_ms, grace_ms; /* 0: nobody said */
	int exit_code; /* of an end; -1: none */
	int signal; /* 0: none */
	int64_t duration_ms; /* -1: unknown */
	const char *output; /* the last part of it, any bytes; or NULL */
	size_t output_len;
	int64_t output_bytes; /* of all of it; -1: unknown */
};

/* Stores it; the same event of a run changes nothing the second time. Of
 * the job's runs the newest 'keep' stay. False with err when too much
 * waits. */
bool store_job_record(struct store *, const struct store_job_record *,
    unsigned keep, store_done_fn *, void *arg, struct err *);

struct store_job_run {
	uint64_t n; /* order of arrival */
	const char *host, *name, *run_id;
	int64_t started_ms, ended_ms; /* ended 0: runs, or nobody knows */
	int exit_code, signal; /* -1: none; 0: none */
	int64_t duration_ms, output_bytes; /* -1: unknown */
	bool overlap; /* did not run: another one did */
	const char *output;
	size_t output_len;
};

/* At the start: every job with its latest run (its run_id is NULL if there
 * is none) and when it last overlapped (0: never). */
struct store_job {
	const char *host, *name;
	int64_t every_ms, grace_ms, first_ms, overlap_ms;
	struct store_job_run last;
};
typedef void store_job_fn(void *arg, const struct store_job *);
bool store_load_jobs(struct store *, store_job_fn *, void *arg, struct err *);

/* Newest first; 'host' NULL: of all hosts; 'before' 0: from the newest. */
typedef void store_job_runs_fn(
    void *arg, const struct store_job_run *, size_t n, const struct err *);
struct store_job_filter {
	const char *name, *host;
	uint64_t before;
	unsigned limit; /* 1..1000 */
};
bool store_job_runs(struct store *, const struct store_job_filter *,
    store_job_runs_fn *, void *arg, struct err *);

bool store_job_forget(struct store *, const char *host, const char *name,
    store_done_fn *, void *arg, struct err *);

#endif
