#include "ewsd/dialect/edge_ack.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

/* What an agent may say beside the known fields, kept as it is. */
static const char *const kept_of_ours[] = { "tail", "truncated",
	"stdout_sha256", "stderr_sha256", "stdout_kept", "stderr_kept", NULL };
static const char *const kept_of_foreign[] = { "result", NULL };

static const struct {
	const char *status;
	enum ack_word word;
} words[] = {
	{ "received", ACK_RECEIVED },
	{ "pending", ACK_RECEIVED },
	{ "executing", ACK_EXECUTING },
	{ "completed", ACK_COMPLETED },
	{ "failed", ACK_FAILED },
};

const json_t *
edge_fields(const json_t *message)
{
	const json_t *o = js_get(message, "data");

	if (!json_is_object(o))
		o = js_get(message, "payload");
	return json_is_object(o) ? o : message;
}

int64_t
edge_time(const json_t *t)
{
	/* Unix seconds reach this in the year 5138. */
	static const double ms_begin = 1e11, ms_end = 1e14;
	int64_t ms;
	double n;

	if (json_is_string(t))
		return clock_parse(json_string_value(t), &ms) ? ms : 0;
	n = json_number_value(t);
	if (n <= 0 || n >= ms_end)
		return 0;
	return (int64_t)(n < ms_begin ? n * 1000 : n);
}

static enum ack_word
word_of(const json_t *o)
{
	const char *status = js_str(o, "status");
	json_t *success = js_get(o, "success");

	for (size_t i = 0; status != NULL && i < sizeof words / sizeof *words;
	     i++)
		if (strcmp(words[i].status, status) == 0)
			return words[i].word;
	if (status == NULL && json_is_boolean(success))
		return json_is_true(success) ? ACK_COMPLETED : ACK_FAILED;
	return ACK_NOTE;
}

static char *
keep(const json_t *o, const char *const *names)
{
	json_t *kept = json_object();
	char *text = NULL;

	for (; *names != NULL; names++)
		if (js_get(o, *names) != NULL)
			json_object_set(kept, *names, js_get(o, *names));
	if (json_object_size(kept) > 0)
		text = js_write(kept);
	json_decref(kept);
	return text;
}

static int64_t
count_of(const json_t *o, const char *key)
{
	int64_t n = js_int(o, key, -1);

	return n < 0 ? -1 : n;
}

static void
read_ours(struct command_ack *a, const json_t *o)
{
	int64_t code = js_int(o, "exit_code", -1), sig = js_int(o, "signal", 0);

	a->reason = js_str(o, "reason");
	a->exit_code = code >= 0 && code <= 255 ? (int)code : -1;
	a->signal = sig > 0 && sig < 128 ? (int)sig : 0;
	a->duration_ms = count_of(o, "duration_ms");
	a->stdout_bytes = count_of(o, "stdout_bytes");
	a->stderr_bytes = count_of(o, "stderr_bytes");
	a->stdout_kept = count_of(o, "stdout_kept");
	a->stderr_kept = count_of(o, "stderr_kept");
	/* completed is exit code 0, whether it says so or not */
	if (a->word == ACK_COMPLETED && a->exit_code == -1)
		a->exit_code = 0;
}

/* {"offset", "data" or "data64"} */
static void
read_kept(struct edge_ack *e, int stream, const json_t *o)
{
	const json_t *text = js_get(o, "data"), *b64 = js_get(o, "data64");
	int64_t first = js_int(o, "offset", -1);
	size_t len = json_string_length(json_is_string(text) ? text : b64);
	const char *bytes = json_string_value(text);

	if (first < 0 || first > COMMAND_OFFSET_MAX || len == 0)
		return;
	if (bytes == NULL) {
		bytes = e->bytes[stream] = mem_try(len);
		if (bytes == NULL || !str_unb64(e->bytes[stream], len,
					 json_string_value(b64), &len))
			return;
	}
	e->kept.streams[stream].first = first;
	e->kept.streams[stream].bytes = bytes;
	e->kept.streams[stream].len = len;
	e->ack.kept = &e->kept;
}

bool
edge_ack_read(struct edge_ack *e, const json_t *o, bool ours)
{
	static const struct command_ack init = COMMAND_ACK_INIT;
	const char *id = js_str(o, "command_id");

	if (id == NULL || !id_name_ok(id))
		return false;
	e->ack = init;
	e->ack.id = id;
	e->ack.word = word_of(o);
	e->ack.error = js_str(o, "error");
	e->ack.at_ms = edge_time(js_get(o, "completed_at"));
	if (e->ack.at_ms == 0)
		e->ack.at_ms = edge_time(js_get(o, "timestamp"));
	memset(&e->kept, 0, sizeof e->kept);
	e->bytes[0] = e->bytes[1] = NULL;
	if (ours) {
		read_ours(&e->ack, o);
		read_kept(e, 0, js_get(js_get(o, "kept"), "stdout"));
		read_kept(e, 1, js_get(js_get(o, "kept"), "stderr"));
	}
	if (e->ack.word == ACK_NOTE)
		e->detail = js_write(o);
	else
		e->detail = keep(o, ours ? kept_of_ours : kept_of_foreign);
	e->ack.detail = e->detail;
	return true;
}

void
edge_ack_fini(struct edge_ack *e)
{
	free(e->detail);
	free(e->bytes[0]);
	free(e->bytes[1]);
}
