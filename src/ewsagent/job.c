#include "ewsagent/job.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

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

static void
take_fields(struct job *j, const json_t *data)
{
	struct err err = ERR_INIT;
	json_t *args = NULL;

	if (!js_take_int(data, "deadline", 1, JOB_DEADLINE_MAX_MS,
		&j->deadline_ms, &err) ||
	    !js_take_bool(data, "stream", &j->stream, &err) ||
	    !js_take_array(data, "argv", &args, &err) || !args_ok(args, &err))
		job_refuse(j, "start_failed", err.text);
	j->stream = j->stream && j->v1;
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

void
job_queue_add(struct job_queue *q, struct job *j)
{
	DL_APPEND(q->lists[j->priority], j);
	q->count++;
	q->bytes += j->size;
}

void
job_queue_back(struct job_queue *q, struct job *j)
{
	DL_PREPEND(q->lists[j->priority], j);
	q->count++;
	q->bytes += j->size;
}

void
job_queue_remove(struct job_queue *q, struct job *j)
{
	DL_DELETE(q->lists[j->priority], j);
	q->count--;
	q->bytes -= j->size;
}

struct job *
job_queue_first(const struct job_queue *q)
{
	int i;

	for (i = 0; i < JOB_PRIORITIES; i++) {
		if (q->lists[i] != NULL)
			return q->lists[i];
	}
	return NULL;
}
