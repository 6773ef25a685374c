#include "ewsctl/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/prog.h"
#include "lib/str.h"

enum { WINDOW = 512, SLACK_MS = 5000 };

struct slot {
	uint64_t line;
	int64_t id; /* of the request; 0: it never left */
	char command[ID_NAME_MAX + 1]; /* its id; "" if it has none */
	json_t *answer; /* NULL: not yet */
};

struct lines {
	struct ask *ask;
	struct slot slots[WINDOW]; /* by number modulo WINDOW */
	uint64_t line, head, tail; /* lines read; slots shown, begun */
	bool passthrough;
	int status;
};

static json_t *
error_answer(const struct err *e)
{
	return json_pack("{s:b, s:{s:s, s:s}}", "ok", 0, "error", "code",
	    e->code, "detail", e->text);
}

static void
failed(struct lines *l, uint64_t line, struct err *e)
{
	json_t *record = json_pack("{s:I, s:{s:s, s:s}}", "line",
	    (json_int_t)line, "error", "code", e->code, "detail", e->text);

	err_prefix(e, "line %llu", (unsigned long long)line);
	prog_fail(e);
	l->ask->out->failed(record);
	json_decref(record);
	if (l->status == EXIT_OK)
		l->status = e->status;
}

/* Shows what can be shown in order. */
static void
show(struct lines *l)
{
	while (l->head < l->tail && l->slots[l->head % WINDOW].answer != NULL) {
		struct slot *s = &l->slots[l->head++ % WINDOW];
		struct err e = ERR_INIT;
		const json_t *result = js_get(s->answer, "result");

		if (ctl_failed(s->answer, &e)) {
			failed(l, s->line, &e);
		} else {
			const char *step = conf_str(l->ask->conf, SET_wait);
			int status = l->passthrough
					 ? exit_from_command(result)
					 : exit_from_step(result, step, &e);

			l->ask->out->receipt(result);
			if (err_isset(&e)) {
				err_prefix(&e, "line %llu",
				    (unsigned long long)s->line);
				prog_fail(&e);
			}
			if (l->status == EXIT_OK)
				l->status = status;
		}
		json_decref(s->answer);
		s->answer = NULL;
	}
}

static void
take(struct lines *l, json_t *answer)
{
	int64_t id = js_int(answer, "id", 0);

	for (uint64_t n = l->head; n < l->tail; n++) {
		struct slot *s = &l->slots[n % WINDOW];

		if (s->id != id || s->answer != NULL)
			continue;
		s->answer = json_incref(answer);
		break;
	}
	show(l);
}

/* Takes answers: all that are here, and waits until one slot is free (or,
 * at the end, until all are). */
static bool
collect(struct lines *l, bool all, struct err *err)
{
	struct ask *a = l->ask;
	int64_t until = ask_deadline(conf_int(a->conf, SET_timeout) + SLACK_MS);

	show(l);
	while (l->head < l->tail &&
	       (all || l->tail - l->head == WINDOW || ctl_ready(a->ctl))) {
		json_t *answer = ctl_recv(a->ctl, until, err);

		if (answer == NULL)
			return false;
		if (js_get(answer, "record") == NULL)
			take(l, answer);
		json_decref(answer);
	}
	return true;
}

static void
add_default(json_t *request, const char *key, json_t *value)
{
	if (js_get(request, key) == NULL)
		json_object_set(request, key, value);
	json_decref(value);
}

/* So that it can be asked for if no answer comes. */
static void
add_id(json_t *request)
{
	char id[ID_UUID_SIZE];

	id_uuid7(id, clock_wall(&clock_system));
	add_default(request, "command_id", json_string(id));
}

static json_t *
request_from(
    const struct lines *l, const char *text, size_t len, struct err *err)
{
	const struct conf *c = l->ask->conf;
	json_t *request = js_read_object(text, len, err);

	if (request == NULL)
		return NULL;
	json_object_set_new(request, "op", json_string("send"));
	json_object_del(request, "stream");
	add_default(request, "wait", json_string(conf_str(c, SET_wait)));
	add_default(
	    request, "timeout_ms", json_integer(conf_int(c, SET_timeout)));
	if (js_get(request, "cron") == NULL)
		add_id(request);
	if (plan_add(l->ask, request, err))
		return request;
	json_decref(request);
	return NULL;
}

static bool
send_line(struct lines *l, const char *text, size_t len, struct err *err)
{
	struct slot *s = &l->slots[l->tail % WINDOW];
	struct err bad = ERR_INIT;
	json_t *request = request_from(l, text, len, &bad);

	*s = (struct slot){ .line = l->line };
	if (request == NULL)
		s->answer = error_answer(&bad);
	else {
		s->id = ctl_send(l->ask->ctl, request, err);
		str_copy(s->command, sizeof s->command,
		    js_str(request, "command_id"));
	}
	json_decref(request);
	if (s->answer == NULL && s->id == 0)
		return false;
	l->tail++;
	return collect(l, false, err);
}

/* They were sent, and no answer came. */
static void
unanswered(struct lines *l, const struct err *why)
{
	for (uint64_t n = l->head; n < l->tail; n++) {
		struct slot *s = &l->slots[n % WINDOW];
		struct err e = ERR_INIT;

		if (s->answer != NULL)
			continue;
		err_set(&e, why->status, why->code,
		    "whether the hub has %s is not known: %.300s", s->command,
		    why->text);
		s->answer = error_answer(&e);
		if (l->passthrough && l->status == EXIT_OK)
			l->status = EXIT_UNKNOWN;
	}
	show(l);
}

static bool
send_file(struct lines *l, FILE *in, const char *name, struct err *err)
{
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	bool ok = true;

	while (ok && (len = getline(&text, &cap, in)) > 0) {
		l->line++;
		if (text[len - 1] == '\n')
			len--;
		if (len > 0)
			ok = send_line(l, text, (size_t)len, err);
	}
	free(text);
	if (ok && ferror(in)) {
		err_set(err, EXIT_IO, "io", "%s: %s", name, strerror(errno));
		ok = false;
	}
	return ok && collect(l, true, err);
}

int
lines_send(struct ask *a, const char *file, struct err *err)
{
	bool is_stdin = str_eq(file, "-");
	struct lines *l;
	FILE *in;
	int status;

	if (!ask_hub(a, err))
		return err->status;
	in = is_stdin ? stdin : fopen(file, "re");
	if (in == NULL) {
		err_set(err, EXIT_IO, "io", "%s: %s", file, strerror(errno));
		return err->status;
	}
	l = mem_alloc(sizeof *l);
	l->ask = a;
	l->passthrough = str_eq(conf_str(a->conf, SET_wait), "done");
	if (!send_file(l, in, is_stdin ? "stdin" : file, err)) {
		unanswered(l, err);
		if (l->status == EXIT_OK)
			l->status = err->status;
	}
	if (!is_stdin)
		fclose(in);
	status = l->status;
	free(l);
	return status;
}
