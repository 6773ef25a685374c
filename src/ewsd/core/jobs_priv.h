/*
 * jobs_priv - what jobs.c (records, table) and jobs_due.c (time) share
 */
#ifndef EWS_EWSD_JOBS_PRIV_H
#define EWS_EWSD_JOBS_PRIV_H

#include "ewsd/core/core_priv.h"
#include "ewsd/core/due.h"
#include "ewsd/core/jobs.h"
#include "lib/id.h"

enum { KEY_MAX = 2 * (ID_NAME_MAX + 1) };

struct job {
	struct due_item due; /* first: overdue is told then */
	char key[KEY_MAX]; /* host, NUL, name */
	size_t key_len;
	const char *name; /* in the key */
	int64_t every_ms, grace_ms, first_ms, overlap_ms;
	char run_id[ID_NAME_MAX + 1]; /* its latest run; "": none */
	int64_t start_ms, end_ms, duration_ms; /* 0; 0: runs; -1 */
	int exit_code, signal; /* -1, 0 */
	bool overdue; /* told */
	UT_hash_handle hh;
};

struct jobs {
	struct job *all;
	struct due due;
	int64_t born_ms; /* when this hub started */
};

/* From when its next start is counted. */
int64_t job_counted_from(const struct job *);
enum job_state job_state_of(const struct core *, const struct job *);
/* After every change: when to look at it again. */
void job_plan(struct core *, struct job *);

#endif
