#include <stdlib.h>
#include <string.h>

#include "ewsd/core/jobs_priv.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* ---- the table --------------------------------------------------------------- */

static size_t
make_key(char key[KEY_MAX], const char *host, const char *name)
{
	size_t at = strlen(host) + 1;

	memcpy(key, host, at);
	memcpy(key + at, name, strlen(name) + 1);
	return at + strlen(name);
}

static struct job *
find(struct core *core, const char *host, const char *name)
{
	char key[KEY_MAX];
	size_t len = make_key(key, host, name);
	struct job *j;

	HASH_FIND(hh, core->jobs->all, key, len, j);
	return j;
}

static struct job *
make(struct core *core, const char *host, const char *name)
{
	struct job *j = mem_alloc(sizeof *j);

	j->key_len = make_key(j->key, host, name);
	j->name = j->key + strlen(host) + 1;
	j->exit_code = -1;
	j->duration_ms = -1;
	HASH_ADD(hh, core->jobs->all, key, j->key_len, j);
	return j;
}

static void
drop(struct core *core, struct job *j)
{
	due_take(&core->jobs->due, &j->due);
	HASH_DEL(core->jobs->all, j);
	free(j);
}

static bool
names_ok(const char *host, const char *name, struct err *err)
{
	if (id_name_ok(host) && id_name_ok(name))
		return true;
	err_set(err, EXIT_DATA, "bad_argument",
	    "%s: not a name (1 to %d bytes, no \"/\", no control characters)",
	    id_name_ok(host) ? "name" : "host", ID_NAME_MAX);
	return false;
}

/* ---- records ------------------------------------------------------------------ */

static void
run_begins(struct job *j, const char *run_id, int64_t start_ms)
{
	str_copy(j->run_id, sizeof j->run_id, run_id);
	j->start_ms = start_ms;
	j->end_ms = 0;
	j->duration_ms = -1;
	j->exit_code = -1;
	j->signal = 0;
}

static void
run_ends(struct job *j, const struct store_job_record *r)
{
	j->end_ms = r->at_ms;
	j->duration_ms = r->duration_ms;
	j->exit_code = r->exit_code;
	j->signal = r->signal;
}

/* They come late and in any order: only the latest run counts here. */
static void
take(struct job *j, const struct store_job_record *r)
{
	int64_t start = r->at_ms;
	bool same = str_eq(j->run_id, r->run_id);

	if (j->first_ms == 0 || r->at_ms < j->first_ms)
		j->first_ms = r->at_ms;
	if (r->at_ms >= j->start_ms) {
		j->every_ms = r->every_ms;
		j->grace_ms = r->grace_ms;
	}
	if (r->event == JOB_OVERLAP) {
		if (r->at_ms > j->overlap_ms)
			j->overlap_ms = r->at_ms;
		return;
	}
	if (r->event == JOB_END && r->duration_ms > 0)
		start -= r->duration_ms;
	if (!same && start >= j->start_ms)
		run_begins(j, r->run_id, start);
	else if (!same)
		return;
	if (r->event == JOB_END && j->end_ms == 0)
		run_ends(j, r);
}

static void
tell_failed(const struct job *j, const struct store_job_record *r)
{
	if (r->event != JOB_END || (r->signal == 0 && r->exit_code <= 0))
		return;
	log_limited("jobs", LOG_WARN, "job %s on %s: failed: %s %d",
	    log_q(j->name), log_q(j->key), r->signal > 0 ? "signal" : "exit",
	    r->signal > 0 ? r->signal : r->exit_code);
}

/* A record, or its removal, on its way to the disk: their order there is that
 * of what is known here. */
struct noting {
	struct core *core;
	struct store_job_record r; /* without its output */
	char host[ID_NAME_MAX + 1], name[ID_NAME_MAX + 1];
	char run_id[ID_NAME_MAX + 1];
	store_done_fn *done;
	void *arg;
};

static void
noted(void *arg, const struct err *err)
{
	struct noting *n = arg;
	struct job *j = find(n->core, n->host, n->name);

	if (err == NULL) {
		bool again;

		if (j == NULL) /* forgotten while this was on its way */
			j = make(n->core, n->host, n->name);
		again = str_eq(j->run_id, n->run_id) && j->end_ms != 0;

		take(j, &n->r);
		job_plan(n->core, j);
		if (!again)
			tell_failed(j, &n->r);
	} else if (j != NULL && j->first_ms == 0) {
		drop(n->core, j); /* it was never known to the disk */
	}
	if (n->done != NULL)
		n->done(n->arg, err);
	free(n);
}

static struct noting *
noting_new(struct core *core, const struct store_job_record *r,
    store_done_fn *done, void *arg)
{
	struct noting *n = mem_alloc(sizeof *n);

	*n = (struct noting){ .core = core, .r = *r, .done = done, .arg = arg };
	str_copy(n->host, sizeof n->host, r->host);
	str_copy(n->name, sizeof n->name, r->name);
	str_copy(n->run_id, sizeof n->run_id, r->run_id);
	n->r.host = n->host;
	n->r.name = n->name;
	n->r.run_id = n->run_id;
	n->r.output = NULL;
	return n;
}

bool
job_record(struct core *core, const struct store_job_record *r,
    store_done_fn *done, void *arg, struct err *err)
{
	const struct core_limits *l = core->config.limits;
	struct noting *n;
	struct job *j;

	if (!names_ok(r->host, r->name, err))
		return false;
	j = find(core, r->host, r->name);
	if (j == NULL && HASH_COUNT(core->jobs->all) >= l->jobs) {
		err_set(err, EXIT_RETRY, "too_many",
		    "%zu jobs are known, that is the limit", l->jobs);
		return false;
	}
	if (j == NULL)
		j = make(core, r->host, r->name);
	n = noting_new(core, r, done, arg);
	if (store_job_record(core->config.store, r, l->job_keep, noted, n, err))
		return true;
	if (j->first_ms == 0)
		drop(core, j);
	free(n);
	return false;
}

static void
forgotten(void *arg, const struct err *err)
{
	struct noting *n = arg;
	struct job *j = find(n->core, n->host, n->name);

	if (err == NULL && j != NULL)
		drop(n->core, j);
	if (n->done != NULL)
		n->done(n->arg, err);
	free(n);
}

bool
job_forget(struct core *core, const char *host, const char *name,
    store_done_fn *done, void *arg, struct err *err)
{
	const struct store_job_record none = {
		.host = host, .name = name, .run_id = ""
	};
	const struct job *j =
	    names_ok(host, name, err) ? find(core, host, name) : NULL;
	struct noting *n;

	if (j == NULL) {
		err_set(err, EXIT_NEGATIVE, "job_unknown", "no job %s on %s",
		    name, host);
		return false;
	}
	n = noting_new(core, &none, done, arg);
	if (store_job_forget(
		core->config.store, n->host, n->name, forgotten, n, err))
		return true;
	free(n);
	return false;
}

/* ---- reading ------------------------------------------------------------------- */

static json_t *
to_json(const struct core *core, const struct job *j)
{
	json_t *o = json_pack("{s:s,s:s,s:s}", "name", j->name, "host", j->key,
	    "state", job_state_word(job_state_of(core, j)));

	js_put_time(o, "last_start", j->start_ms);
	js_put_time(o, "last_end", j->end_ms);
	js_put_int(o, "exit_code", j->exit_code, -1);
	js_put_int(o, "signal", j->signal, 0);
	js_put_int(o, "duration_ms", j->duration_ms, -1);
	js_put_int(o, "every_ms", j->every_ms, 0);
	if (j->every_ms > 0) {
		js_put_int(o, "grace_ms", j->grace_ms, -1);
		js_put_time(o, "next_due", job_counted_from(j) + j->every_ms);
	}
	js_put_time(o, "last_overlap", j->overlap_ms);
	js_put_time(o, "first_seen", j->first_ms);
	return o;
}

static int
by_name(const void *a, const void *b)
{
	const struct job *x = *(struct job *const *)a;
	const struct job *y = *(struct job *const *)b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : strcmp(x->key, y->key);
}

void
job_each(struct core *core, const char *name, const char *host, job_fn *fn,
    void *arg)
{
	size_t n = 0;
	struct job **some, *j;

	some = mem_alloc((HASH_COUNT(core->jobs->all) + 1) * sizeof *some);
	for (j = core->jobs->all; j != NULL; j = j->hh.next)
		if (j->first_ms != 0 &&
		    (name == NULL || str_eq(name, j->name)) &&
		    (host == NULL || str_eq(host, j->key)))
			some[n++] = j;
	qsort(some, n, sizeof *some, by_name);
	for (size_t i = 0; i < n; i++)
		if (!fn(arg, some[i]->name, some[i]->key,
			to_json(core, some[i])))
			break;
	free(some);
}

/* ---- start and end ---------------------------------------------------------------- */

static void
load_one(void *arg, const struct store_job *s)
{
	struct core *core = arg;
	struct job *j = make(core, s->host, s->name);

	j->every_ms = s->every_ms;
	j->grace_ms = s->grace_ms;
	j->first_ms = s->first_ms;
	j->overlap_ms = s->overlap_ms;
	if (s->last.run_id != NULL) {
		run_begins(j, s->last.run_id, s->last.started_ms);
		j->end_ms = s->last.ended_ms;
		j->duration_ms = s->last.duration_ms;
		j->exit_code = s->last.exit_code;
		j->signal = s->last.signal;
	}
	job_plan(core, j);
}

bool
jobs_load(struct core *core, struct err *err)
{
	core->jobs = mem_alloc(sizeof *core->jobs);
	core->jobs->born_ms = core_wall(core);
	return store_load_jobs(core->config.store, load_one, core, err);
}

void
jobs_free(struct core *core)
{
	struct job *j, *next;

	if (core->jobs == NULL)
		return;
	HASH_ITER (hh, core->jobs->all, j, next)
		drop(core, j);
	due_fini(&core->jobs->due);
	free(core->jobs);
}
