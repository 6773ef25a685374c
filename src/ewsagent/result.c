#include "ewsagent/result.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/str.h"

#define REPLACEMENT "\xef\xbf\xbd"

json_t *
result_step(const char *id, const char *status)
{
	json_t *data = json_object();

	json_object_set_new(data, "command_id", json_string(id));
	json_object_set_new(data, "status", json_string(status));
	return data;
}

static json_t *
begin(const char *id, const char *status, int64_t now_ms)
{
	json_t *data = result_step(id, status);
	char text[CLOCK_TEXT_SIZE];

	json_object_set_new(
	    data, "completed_at", json_string(clock_text(text, now_ms)));
	return data;
}

json_t *
result_stored(const char *id, int64_t now_ms)
{
	return begin(id, "completed", now_ms);
}

static void
set_text(json_t *data, const char *key, const char *text)
{
	json_t *value = json_string(text);

	/* a name of the file system need not be UTF-8 */
	json_object_set_new(
	    data, key, value != NULL ? value : json_string(log_q(text)));
}

json_t *
result_failed(
    const char *id, const char *reason, const char *error, int64_t now_ms)
{
	json_t *data = begin(id, "failed", now_ms);

	json_object_set_new(data, "reason", json_string(reason));
	set_text(data, "error", error);
	return data;
}

/* One character of UTF-8 at the front, 0 if there is none. NUL is none:
 * strict readers of JSON refuse it. */
static size_t
character(const char *bytes, size_t len)
{
	size_t n;

	for (n = 1; n <= 4 && n <= len; n++) {
		if (str_utf8(bytes, n, false))
			return n;
	}
	return 0;
}

/* Replacements are longer than what they replace: the front gives way. */
static json_t *
readable(const char *bytes, size_t len)
{
	char text[3 * RUN_TAIL], *start = text;
	size_t n, used = 0;

	/* the window on the stream may begin within a character */
	for (n = 0; len == RUN_TAIL && n < 3 && (*bytes & 0xc0) == 0x80; n++)
		bytes++;
	len -= len == RUN_TAIL ? n : 0;
	for (; len > 0; bytes += n, len -= n) {
		n = character(bytes, len);
		memcpy(text + used, n > 0 ? bytes : REPLACEMENT, n > 0 ? n : 3);
		used += n > 0 ? n : 3;
		n += n == 0;
	}
	if (used > RUN_TAIL)
		start = text + used - RUN_TAIL;
	while (start < text + used && (*start & 0xc0) == 0x80)
		start++;
	return json_stringn(start, (size_t)(text + used - start));
}

static json_t *
tail_of(const struct run_end *end)
{
	json_t *tail = json_object();
	const struct run_stream *out = &end->streams[OUTPUT_STDOUT];
	const struct run_stream *err = &end->streams[OUTPUT_STDERR];

	json_object_set_new(tail, "stdout", readable(out->tail, out->tail_len));
	json_object_set_new(tail, "stderr", readable(err->tail, err->tail_len));
	return tail;
}

void
result_kept(json_t *data, uint64_t out, uint64_t err)
{
	if (js_int(data, "stdout_bytes", 0) <= (int64_t)out &&
	    js_int(data, "stderr_bytes", 0) <= (int64_t)err)
		return;
	json_object_set_new(data, "truncated", json_true());
	json_object_set_new(data, "stdout_kept", json_integer((json_int_t)out));
	json_object_set_new(data, "stderr_kept", json_integer((json_int_t)err));
}

static void
set_output(json_t *data, const struct run_end *end, bool kept)
{
	const struct run_stream *out = &end->streams[OUTPUT_STDOUT];
	const struct run_stream *err = &end->streams[OUTPUT_STDERR];

	json_object_set_new(
	    data, "stdout_bytes", json_integer((json_int_t)out->bytes));
	json_object_set_new(
	    data, "stderr_bytes", json_integer((json_int_t)err->bytes));
	json_object_set_new(data, "stdout_sha256", json_string(out->digest));
	json_object_set_new(data, "stderr_sha256", json_string(err->digest));
	if (kept)
		result_kept(data, out->kept, err->kept);
	if (out->bytes + err->bytes > 0)
		json_object_set_new(data, "tail", tail_of(end));
}

static const char *
reason_of(enum run_why why)
{
	switch (why) {
	case RUN_TIMEOUT:
		return "timeout";
	case RUN_CANCELLED:
		return "cancelled";
	case RUN_SELF:
		break;
	}
	return NULL;
}

/* "exit status 3" or "killed by signal 9", after what we had to do with
 * that. */
static void
describe(char *text, size_t size, const struct run_end *end)
{
	char took[32];
	const char *how = end->why == RUN_TIMEOUT     ? "no end after "
			  : end->why == RUN_CANCELLED ? "cancelled after "
						      : NULL;
	int n = 0;

	if (how != NULL)
		n = snprintf(text, size, "%s%s: ", how,
		    clock_span_text(took, sizeof took, end->duration_ms));
	if (end->signal != 0)
		snprintf(text + n, size - (size_t)n, "killed by signal %d",
		    end->signal);
	else
		snprintf(
		    text + n, size - (size_t)n, "exit status %d", end->code);
}

/* The last line with something on it, as what a person wants to read. */
static void
add_last_line(char *text, size_t size, const struct run_stream *err)
{
	size_t len = err->tail_len, begin, used = strlen(text);
	const char *bytes = err->tail;

	while (len > 0 && strchr(" \t\r\n", bytes[len - 1]) != NULL)
		len--;
	if (len == 0)
		return;
	begin = len;
	while (begin > 0 && bytes[begin - 1] != '\n')
		begin--;
	snprintf(text + used, size - used, ": %s",
	    log_qn(bytes + begin, len - begin));
}

static void
set_error(json_t *data, const struct run_end *end)
{
	char text[ERR_TEXT_MAX];

	describe(text, sizeof text, end);
	add_last_line(text, sizeof text, &end->streams[OUTPUT_STDERR]);
	set_text(data, "error", text);
}

void
result_started(json_t *data, int64_t started_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (started_ms > 0)
		json_object_set_new(data, "started_at",
		    json_string(clock_text(text, started_ms)));
}

json_t *
result_ended(const char *id, const struct run_end *end, bool kept)
{
	bool good = end->why == RUN_SELF && end->code == 0;
	json_t *data = begin(id, good ? "completed" : "failed", end->ended_ms);
	const char *reason = reason_of(end->why);

	result_started(data, end->started_ms);
	if (reason != NULL)
		json_object_set_new(data, "reason", json_string(reason));
	if (!good)
		set_error(data, end);
	if (end->signal != 0)
		json_object_set_new(data, "signal", json_integer(end->signal));
	else
		json_object_set_new(data, "exit_code", json_integer(end->code));
	json_object_set_new(
	    data, "duration_ms", json_integer((json_int_t)end->duration_ms));
	set_output(data, end, kept);
	return data;
}

json_t *
result_own(const char *id, const char *error, int64_t now_ms)
{
	json_t *data =
	    begin(id, error == NULL ? "completed" : "failed", now_ms);

	if (error != NULL)
		set_text(data, "error", error);
	json_object_set_new(data, "exit_code", json_integer(error != NULL));
	return data;
}

json_t *
result_probed(const char *id, int64_t started_ms, int64_t now_ms)
{
	json_t *data = result_own(id, NULL, now_ms);

	result_started(data, started_ms);
	json_object_set_new(data, "probed", json_true());
	return data;
}

json_t *
result_plain(const json_t *full)
{
	static const char *const keys[] = { "command_id", "status",
		"completed_at", "error" };
	json_t *plain = json_object();
	size_t i;

	for (i = 0; i < sizeof keys / sizeof *keys; i++) {
		json_t *value = js_get(full, keys[i]);

		if (value != NULL)
			json_object_set(plain, keys[i], value);
	}
	return plain;
}
