/* local jobs and their runs, as the hub was told of them */
#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

static json_t *
request(const struct ask *a, const char *op)
{
	json_t *r = json_pack("{s:s}", "op", op);
	const char *host = conf_str(a->conf, SET_host);

	if (a->argc > 0)
		json_object_set_new(r, "name", json_string(a->argv[0]));
	if (host != NULL)
		json_object_set_new(r, "host", json_string(host));
	return r;
}

/* All pages. */
static json_t *
get_jobs(struct ask *a, struct err *err)
{
	json_t *r = request(a, "jobs"), *all = json_array(), *page;
	bool more = true;

	while (more && (page = ask_call(a, json_incref(r), err)) != NULL) {
		json_t *next = js_get(page, "next");

		json_array_extend(all, js_get(page, "jobs"));
		more = next != NULL;
		if (more) {
			json_object_set(r, "after", next);
			json_object_set(
			    r, "after_host", js_get(page, "next_host"));
		}
		json_decref(page);
	}
	json_decref(r);
	if (!err_isset(err))
		return json_pack("{s:o}", "jobs", all);
	json_decref(all);
	return NULL;
}

static bool
add_runs(struct ask *a, json_t *result, struct err *err)
{
	json_t *r = request(a, "job"), *page;

	if (!conf_is_default(a->conf, SET_limit))
		json_object_set_new(
		    r, "limit", json_integer(conf_int(a->conf, SET_limit)));
	page = ask_call(a, r, err);
	if (page == NULL)
		return false;
	json_object_set(result, "runs", js_get(page, "runs"));
	json_decref(page);
	return true;
}

/* What a person should look at. */
static bool
is_bad(const json_t *job)
{
	const char *state = js_str(job, "state");

	return str_eq(state, "failed") || str_eq(state, "missed") ||
	       str_eq(state, "overrun");
}

static int
status_of(const struct ask *a, const json_t *result)
{
	size_t i;
	json_t *job;

	if (conf_bool(a->conf, SET_exit_zero))
		return EXIT_OK;
	json_array_foreach(js_get(result, "jobs"), i,
	    job) if (is_bad(job)) return EXIT_NEGATIVE;
	return EXIT_OK;
}

/* On every host that has it, unless one is named. */
static int
forget(struct ask *a, const json_t *result, struct err *err)
{
	size_t i;
	json_t *job, *r, *done;

	json_array_foreach(js_get(result, "jobs"), i, job)
	{
		r = json_pack("{s:s, s:O, s:O}", "op", "job_forget", "name",
		    js_get(job, "name"), "host", js_get(job, "host"));
		done = ask_call(a, r, err);
		json_decref(done);
		if (done == NULL)
			return err->status;
	}
	return EXIT_OK;
}

static int
show(struct ask *a, json_t *result, struct err *err)
{
	if (a->argc > 0 && !add_runs(a, result, err))
		return err->status;
	a->out->jobs(result);
	return status_of(a, result);
}

int
cmd_jobs(struct ask *a, struct err *err)
{
	bool forgets = conf_bool(a->conf, SET_forget);
	json_t *result;
	int status;

	if (forgets && a->argc == 0) {
		err_set(err, EXIT_USAGE_, "usage",
		    "jobs --forget: which one? give its NAME");
		return err->status;
	}
	if ((result = get_jobs(a, err)) == NULL)
		return err->status;
	if (a->argc > 0 && json_array_size(js_get(result, "jobs")) == 0) {
		err_set(err, EXIT_NEGATIVE, "job_unknown",
		    "no job named %s; see ewsctl jobs", a->argv[0]);
		status = err->status;
	} else {
		status =
		    forgets ? forget(a, result, err) : show(a, result, err);
	}
	json_decref(result);
	return status;
}
