#include "ewsctl/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/str.h"

enum { CALL_MS = 30000, PAYLOAD_MAX = CTL_LINE_MAX };

bool
ask_hub(struct ask *a, struct err *err)
{
	if (a->ctl == NULL)
		a->ctl = ctl_open(conf_str(a->conf, SET_socket),
		    conf_str(a->conf, SET_runtime_dir), "ewsd", err);
	return a->ctl != NULL;
}

int64_t
ask_deadline(int64_t ms)
{
	return clock_mono(&clock_system) + ms;
}

/* Asking for a fact takes no hour: the smaller of --timeout and 30 s. */
json_t *
ask_call(struct ask *a, json_t *request, struct err *err)
{
	int64_t ms = conf_int(a->conf, SET_timeout);
	json_t *result = NULL;

	if (ask_hub(a, err))
		result = ctl_call(a->ctl, request,
		    ask_deadline(ms < CALL_MS ? ms : CALL_MS), err);
	json_decref(request);
	return result;
}

static char *
read_all(int fd, const char *name, size_t max, size_t *len, struct err *err)
{
	struct buf b;
	char piece[65536];
	ssize_t n;

	buf_init(&b, max);
	while ((n = read(fd, piece, sizeof piece)) > 0 && !b.failed)
		buf_add(&b, piece, (size_t)n);
	if (n < 0)
		err_set(err, EXIT_IO, "io", "%s: %s", name, strerror(errno));
	else if (b.failed)
		err_set(err, EXIT_DATA, "too_large", "%s: more than %zu bytes",
		    name, max);
	if (err_isset(err)) {
		buf_fini(&b);
		return NULL;
	}
	buf_add(&b, "", 0);
	return buf_take(&b, len);
}

char *
ask_slurp(const char *path, size_t max, size_t *len, struct err *err)
{
	char *text;
	int fd;

	if (str_eq(path, "-"))
		return read_all(STDIN_FILENO, "stdin", max, len, err);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1) {
		err_set(err, EXIT_IO, "io", "%s: %s", path, strerror(errno));
		return NULL;
	}
	text = read_all(fd, path, max, len, err);
	close(fd);
	return text;
}

static json_t *
payload_read(const char *text, struct err *err)
{
	char *slurped = NULL;
	size_t len = strlen(text);
	json_t *payload;

	if (str_eq(text, "-")) {
		slurped = ask_slurp("-", PAYLOAD_MAX, &len, err);
		if (slurped == NULL)
			return NULL;
		text = slurped;
	}
	payload = js_read_object(text, len, err);
	if (payload == NULL)
		err_prefix(err, "payload");
	free(slurped);
	return payload;
}

/* Chosen by us where it was not given: then a repeat is no second one. */
static void
add_id(json_t *request, const char *key, const char *given)
{
	char id[ID_UUID_SIZE];

	if (given == NULL)
		id_uuid7(id, clock_wall(&clock_system));
	json_object_set_new(
	    request, key, json_string(given != NULL ? given : id));
}

static bool
add_flags(const struct ask *a, json_t *request, struct err *err)
{
	const char *cron = conf_str(a->conf, SET_cron);
	const char *tz = conf_str(a->conf, SET_tz);

	json_object_set_new(request, "timeout_ms",
	    json_integer(conf_int(a->conf, SET_timeout)));
	if (conf_bool(a->conf, SET_stdin))
		json_object_set_new(request, "stdin", json_true());
	if (cron != NULL) {
		json_object_set_new(request, "cron", json_string(cron));
		if (tz != NULL)
			json_object_set_new(request, "tz", json_string(tz));
		add_id(
		    request, "schedule_id", conf_str(a->conf, SET_schedule_id));
	} else {
		add_id(request, "command_id", conf_str(a->conf, SET_id));
	}
	return plan_add(a, request, err);
}

static bool
is_text(const char *what, const char *text, struct err *err)
{
	if (str_utf8(text, strlen(text), false))
		return true;
	err_set(err, EXIT_DATA, "bad_argument", "%s is not UTF-8", what);
	return false;
}

json_t *
ask_send_request(const struct ask *a, const char *agent, const char *type,
    const char *payload, struct err *err)
{
	json_t *request, *object = NULL;

	/* the flags are UTF-8: lib/conf has seen to it */
	if (!ask_report_possible(a, err) || !is_text("AGENT", agent, err) ||
	    !is_text("TYPE", type, err))
		return NULL;
	if (payload != NULL && (object = payload_read(payload, err)) == NULL)
		return NULL;
	request = json_pack(
	    "{s:s, s:s, s:s}", "op", "send", "agent", agent, "type", type);
	if (object != NULL)
		json_object_set_new(request, "payload", object);
	if (add_flags(a, request, err))
		return request;
	json_decref(request);
	return NULL;
}
