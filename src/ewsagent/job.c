#include "ewsagent/job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

static const struct {
	const char *word;
	enum job_priority priority;
} priorities[] = {
	{ "immediate", JOB_IMMEDIATE },
	{ "critical", JOB_IMMEDIATE },
	{ "high", JOB_HIGH },
	{ "low", JOB_LOW },
	{ "deferred", JOB_LOW },
};

static enum job_priority
priority_of(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof priorities / sizeof *priorities; i++) {
		if (str_eq(word, priorities[i].word))
			return priorities[i].priority;
	}
	return JOB_NORMAL;
}

void
job_refuse(struct job *j, const char *reason, const char *error)
{
	if (j->reason != NULL)
		return;
	j->reason = reason;
	str_copy(j->error, sizeof j->error, error);
}

/* Bounded well below what an exec takes (E2BIG). */
static bool
args_ok(const json_t *args, struct err *err)
{
	size_t i, n = json_array_size(args), bytes = 0;

	if (n > JOB_ARGS_MAX) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "argv has more than %d strings", JOB_ARGS_MAX);
		return false;
	}
	for (i = 0; i < n; i++) {
		const json_t *s = json_array_get(args, i);
		size_t len = json_string_length(s);

		if (!json_is_string(s) || strlen(json_string_value(s)) != len) {
			err_set(err, EXIT_DATA, "bad_argument",
			    "argv[%zu] is no string without NUL", i);
			return false;
		}
		bytes += len + 1;
	}
	if (bytes > JOB_ARGS_BYTES_MAX)
		err_set(err, EXIT_DATA, "bad_argument",
		    "argv is larger than %d bytes", JOB_ARGS_BYTES_MAX);
	return bytes <= JOB_ARGS_BYTES_MAX;
}

static bool
parse_time(const json_t *value, int64_t *ms)
{
	char number[24];

	if (json_is_string(value))
		return clock_parse(json_string_value(value), ms);
	if (!json_is_integer(value))
		return false;
	snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT,
	    json_integer_value(value));
	return clock_parse(number, ms);
}

static bool
take_time(const json_t *data, const char *key, int64_t *ms, struct err *err)
{
	const json_t *value = js_get(data, key);

	if (value == NULL || parse_time(value, ms))
		return true;
	err_set(err, EXIT_DATA, "bad_argument", "%s is no time", key);
	return false;
}

/* PROTOCOL 2.5: this type brings its time in the payload. */
static void
take_send_at(struct job *j, const json_t *data)
{
	const json_t *at = js_get(js_get(data, "payload"), "send_at");
	char error[ERR_TEXT_MAX];

	if (!str_eq(j->type, "schedule_message") || at == NULL)
		return;
	if (parse_time(at, &j->due_ms)) {
		j->scheduled = true;
		return;
	}
	snprintf(error, sizeof error, "Invalid timestamp: %.200s",
	    json_is_string(at) ? log_q(json_string_value(at)) : "no text");
	job_refuse(j, "start_failed", error);
}

static void
take_fields(struct job *j, const json_t *data)
{
	struct err err = ERR_INIT;
	json_t *args = NULL;

	take_send_at(j, data);
	if (!js_take_int(data, "deadline", 1, JOB_DEADLINE_MAX_MS,
		&j->deadline_ms, &err) ||
	    !js_take_bool(data, "stream", &j->stream, &err) ||
	    !js_take_bool(data, "stdin", &j->input, &err) ||
	    !take_time(data, "run_at", &j->due_ms, &err) ||
	    !take_time(data, "expires", &j->expires_ms, &err) ||
	    !js_take_array(data, "argv", &args, &err) || !args_ok(args, &err))
		job_refuse(j, "start_failed", err.text);
	j->stream = j->stream && j->v1;
	j->input = j->input && j->v1;
	if (j->priority != JOB_IMMEDIATE)
		return;
	j->due_ms = 0; /* whatever it says (PROTOCOL 2.5) */
	j->scheduled = false;
}

/* What kind of hub asked must survive us: {"v1":false} stands beside the
 * fields of a PROTOCOL 2 command. */
static char *
text_of(const json_t *data, bool v1)
{
	json_t *copy;
	char *text;

	if (v1)
		return js_write(data);
	copy = json_copy((json_t *)data);
	json_object_set_new(copy, "v1", json_false());
	text = js_write(copy);
	json_decref(copy);
	return text;
}

struct job *
job_new(const json_t *data, bool v1)
{
	const char *id = js_str(data, "command_id");
	const char *type = js_str(data, "command_type");
	struct job *j;
	char *text;

	if (id == NULL || !id_name_ok(id))
		return NULL;
	text = text_of(data, v1);
	if (text == NULL) /* memory is out: the hub sends it again */
		return NULL;
	j = mem_alloc(sizeof *j);
	j->id = mem_dup(id);
	j->type = mem_dup(type != NULL ? type : "");
	j->text = text;
	j->size = strlen(text);
	j->v1 = v1;
	j->priority = priority_of(js_str(data, "priority"));
	take_fields(j, data);
	return j;
}

/* The text is taken over as it is: read by job_new it could gain a second
 * "v1". */
struct job *
job_load(const char *id, const char *text)
{
	json_t *data =
	    text == NULL ? NULL : js_read_object(text, strlen(text), NULL);
	struct job *j =
	    data == NULL ? NULL : job_new(data, js_bool(data, "v1", true));

	json_decref(data);
	if (j == NULL) {
		j = mem_alloc(sizeof *j);
		j->id = mem_dup(id);
		j->type = mem_dup("");
		j->v1 = true;
		job_refuse(j, "start_failed", "the ledger's text is damaged");
		return j;
	}
	free(j->text);
	j->text = mem_dup(text);
	j->size = strlen(text);
	return j;
}

void
job_free(struct job *j)
{
	output_free(j->output);
	free(j->id);
	free(j->type);
	free(j->text);
	free(j->result);
	free(j);
}
