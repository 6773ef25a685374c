/* who is meant, and how many of them must be done */
#include <stdlib.h>
#include <string.h>

#include "ewsctl/fan_priv.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

/* ---- who is meant ------------------------------------------------------------ */

struct target *
fan_target(const struct ask *a, struct err *err)
{
	struct target *t = target_new();

	for (size_t i = 0; i < conf_count(a->conf, SET_target); i++) {
		if (target_add(t, conf_item(a->conf, SET_target, i), err))
			continue;
		target_free(t);
		return NULL;
	}
	return t;
}

/* A run wants its answer now: who is away has failed at once. A send
 * waits for them. */
static void
add_member(struct fan *f, const json_t *agent)
{
	struct fan_member *m;

	if ((f->n & (f->n - 1)) == 0) /* 0, or full: doubled */
		f->members = mem_realloc(f->members,
		    (f->n == 0 ? 1 : 2 * f->n) * sizeof *f->members);
	m = &f->members[f->n++];
	*m = (struct fan_member){ .agent = mem_dup(js_str(agent, "agent")) };
	if (!f->runs || !str_eq(js_str(agent, "status"), "offline"))
		return;
	m->state = FAN_OFFLINE;
	m->status = EXIT_NOT_STARTED;
	f->offline++;
}

static void
add_matching(struct fan *f, const struct target *t, const json_t *page)
{
	size_t i;
	json_t *agent;

	json_array_foreach(js_get(page, "agents"), i, agent)
	{
		const char *name = js_str(agent, "agent");

		if (name != NULL &&
		    target_match(t, name, js_get(agent, "tags")))
			add_member(f, agent);
	}
}

bool
fan_find(struct fan *f, const struct target *t, struct err *err)
{
	json_t *request = json_pack("{s:s}", "op", "agents"), *page, *next;
	bool more = true;

	while (more &&
	       (page = ask_call(f->ask, json_incref(request), err)) != NULL) {
		add_matching(f, t, page);
		next = js_get(page, "next");
		more = next != NULL;
		if (more)
			json_object_set(request, "after", next);
		json_decref(page);
	}
	json_decref(request);
	if (!err_isset(err) && f->n == 0)
		err_set(err, EXIT_NEGATIVE, "agent_unknown",
		    "no agent matches --target; see ewsctl agents");
	return !err_isset(err);
}

/* ---- what is wanted ------------------------------------------------------------ */

/* "12", or "80%" of all that are meant. */
static bool
read_need(const struct ask *a, uint64_t *n, bool *percent, struct err *err)
{
	const char *text = conf_str(a->conf, SET_need);
	size_t len = strlen(text);
	char digits[16];

	*percent = len > 0 && text[len - 1] == '%';
	str_copy(digits, sizeof digits, text);
	if (*percent && len < sizeof digits)
		digits[len - 1] = '\0';
	if (str_u64(digits, 0, *percent ? 100 : 1000000, n))
		return true;
	err_set(err, EXIT_USAGE_, "usage",
	    "--need %s: must be a number, or a percentage as 80%%", text);
	return false;
}

bool
fan_need(struct fan *f, struct err *err)
{
	uint64_t n;
	bool percent;

	if (!read_need(f->ask, &n, &percent, err))
		return false;
	f->need = percent ? (f->n * n + 99) / 100 : n;
	if (f->need <= f->n)
		return true;
	err_set(err, EXIT_NEGATIVE, "usage",
	    "--need %zu, but only %zu agents match: nothing was begun", f->need,
	    f->n);
	return false;
}

bool
fan_flags_ok(const struct ask *a, struct err *err)
{
	static const struct {
		size_t setting;
		const char *flag;
	} single[] = { { SET_id, "id" }, { SET_schedule_id, "schedule-id" },
		{ SET_stdin, "stdin" }, { SET_lines, "lines" } };

	uint64_t n;
	bool percent;

	for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
		if (conf_is_default(a->conf, single[i].setting))
			continue;
		err_set(err, EXIT_USAGE_, "usage",
		    "--%s is for one command: not with --target",
		    single[i].flag);
		return false;
	}
	return read_need(a, &n, &percent, err);
}
