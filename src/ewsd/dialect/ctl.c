#include "ewsd/dialect/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/stats.h"
#include "ewsd/dialect/ctl_priv.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"

static const struct {
	const char *name;
	ctl_op_fn *run;
	const char *help;
} ops[] = {
#define OP(name, help) { #name, ctl_op_##name, help },
#include "ewsd/dialect/ops.def"
#undef OP
};
enum { N_OPS = sizeof ops / sizeof *ops };

static const struct {
	const char *code;
	int http;
} codes[] = {
#define ERROR_CODE(word, status, http, meaning) { #word, http },
#include "lib/codes.def"
#undef ERROR_CODE
};

int
ctl_code_http(const char *code)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].http;
	return 500;
}

struct ctl_dialect *
ctl_dialect_new(const struct ctl_config *config)
{
	struct ctl_dialect *d = mem_alloc(sizeof *d);

	d->config = *config;
	d->started_mono = core_mono(config->core);
	return d;
}

void
ctl_dialect_free(struct ctl_dialect *d)
{
	struct ctl_ask *ask, *next;

	if (d == NULL)
		return;
	DL_FOREACH_SAFE (d->asks, ask, next)
		ctl_forget(ask);
	free(d);
}

struct core *
ask_core(const struct ctl_ask *ask)
{
	return ask->dialect->config.core;
}

/* ---- the life of an ask ------------------------------------------------ */

static void
ask_free(struct ctl_ask *ask)
{
	if (ask->starting || ask->at_store)
		return; /* whoever has its address frees it */
	json_decref(ask->plan);
	json_decref(ask->result);
	free(ask->asker);
	free(ask);
}

static void
settle(struct ctl_ask *ask)
{
	watcher_stop(&ask->watcher);
	DL_DELETE(ask->dialect->asks, ask);
	ask->answered = true;
}

void
ask_reply(struct ctl_ask *ask, json_t *result)
{
	settle(ask);
	ask->sink.reply(ask->sink.arg, result, NULL, NULL);
	json_decref(result);
	ask_free(ask);
}

void
ask_fail_extra(struct ctl_ask *ask, const struct err *err, json_t *extra)
{
	settle(ask);
	ask->sink.reply(ask->sink.arg, NULL, err, extra);
	json_decref(extra);
	ask_free(ask);
}

void
ask_fail(struct ctl_ask *ask, const struct err *err)
{
	ask_fail_extra(ask, err, NULL);
}

void
ctl_forget(struct ctl_ask *ask)
{
	settle(ask);
	ask->gone = true;
	ask_free(ask);
}

void
ask_to_store(struct ctl_ask *ask)
{
	ask->at_store = true;
}

bool
ask_from_store(struct ctl_ask *ask)
{
	ask->at_store = false;
	if (!ask->gone && !ask->answered)
		return true;
	ask_free(ask);
	return false;
}

void
ask_store_failed(struct ctl_ask *ask, const struct err *err)
{
	if (ask_from_store(ask))
		ask_fail(ask, err);
}

bool
ask_stored(struct ctl_ask *ask, const struct err *err)
{
	if (!ask_from_store(ask))
		return false;
	if (err == NULL)
		return true;
	ask_fail(ask, err);
	return false;
}

void
ctl_took(struct ctl_ask *ask, int stream, int64_t offset)
{
	if (stream >= 0)
		watcher_took(&ask->watcher, (enum output_stream)stream, offset);
}

bool
ctl_need_str(
    const json_t *request, const char *key, const char **out, struct err *err)
{
	*out = NULL;
	if (!js_take_str(request, key, out, err))
		return false;
	if (*out != NULL)
		return true;
	err_set(err, EXIT_DATA, "bad_argument", "%s: is missing", key);
	return false;
}

static void
run(struct ctl_ask *ask, const char *op, const json_t *request)
{
	struct err err = ERR_INIT;

	for (int i = 0; i < N_OPS; i++) {
		if (strcmp(ops[i].name, op) == 0) {
			ops[i].run(ask, request);
			return;
		}
	}
	err_set(&err, EXIT_USAGE_, "unknown_op", "no operation %s", log_q(op));
	ask_fail(ask, &err);
}

struct ctl_ask *
ctl_request(struct ctl_dialect *d, const struct ctl_sink *sink, const char *op,
    const json_t *request)
{
	struct ctl_ask *ask = mem_alloc(sizeof *ask);

	core_stats(d->config.core)->ctl_requests++;
	ask->dialect = d;
	ask->sink = *sink;
	ask->asker = mem_dup(sink->asker);
	DL_APPEND(d->asks, ask);
	ask->starting = true;
	run(ask, op, request);
	ask->starting = false;
	ask->sink.text = NULL; /* it was lent for this call */
	if (!ask->answered)
		return ask;
	ask_free(ask);
	return NULL;
}

/* ---- time --------------------------------------------------------------- */

static void
too_late(struct ctl_ask *ask)
{
	const struct command *c = ask->watcher.command;
	struct err err = ERR_INIT;
	json_t *extra = NULL;

	if (c != NULL && !c->stored) /* no id before the disk has it */
		err_set(&err, EXIT_DEADLINE, "deadline",
		    "the disk has not taken the command yet; it may still");
	else
		err_set(&err, EXIT_DEADLINE, "deadline",
		    "command %s is %s; it goes on without us", ask->command_id,
		    c != NULL ? state_word(c->state) : "not known");
	if (c != NULL && c->stored)
		extra = json_pack("{s:s,s:s}", "command_id", c->id, "state",
		    state_word(c->state));
	ask_fail_extra(ask, &err, extra);
}

void
ctl_dialect_tick(struct ctl_dialect *d)
{
	int64_t now = core_mono(d->config.core);
	struct ctl_ask *ask, *next;

	DL_FOREACH_SAFE (d->asks, ask, next) {
		if (ask->deadline == 0 || now < ask->deadline) {
			if (ask->on_tick != NULL)
				ask->on_tick(ask);
			continue;
		}
		if (ask->on_deadline != NULL)
			ask->on_deadline(ask);
		else
			too_late(ask);
	}
}

void
ctl_dialect_drain(struct ctl_dialect *d)
{
	struct ctl_ask *ask, *next;
	struct err err = ERR_INIT;

	err_set(&err, EXIT_RETRY, "draining", "the hub is stopping");
	DL_FOREACH_SAFE (d->asks, ask, next)
		ask_fail_extra(ask, &err,
		    ask->command_id[0] == '\0'
			? NULL
			: json_pack("{s:s}", "command_id", ask->command_id));
}

json_t *
ctl_ops_json(void)
{
	json_t *list = json_array();

	for (int i = 0; i < N_OPS; i++)
		json_array_append_new(
		    list, json_pack("{s:s,s:s}", "op", ops[i].name, "help",
			      ops[i].help));
	return json_pack("{s:o}", "ops", list);
}
