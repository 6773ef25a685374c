/* waiting for one command, and what the shell is told of its end */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/state.h"
#include "lib/str.h"

enum { SLACK_MS = 5000 }; /* the hub's own time-out answers first */

static char leaving[256]; /* said when a signal ends us */
static size_t leaving_len;

static void
leave(int signal)
{
	ssize_t n = write(STDERR_FILENO, leaving, leaving_len);

	(void)n;
	_exit(EXIT_SIGNALLED + signal);
}

/* From here on the command is on its way whatever becomes of us. */
static void
note_id(const struct ask *a, const char *id)
{
	int n;

	if (id == NULL || leaving_len > 0 || conf_bool(a->conf, SET_quiet))
		return;
	n = snprintf(leaving, sizeof leaving,
	    "\newsctl: %s goes on; see: ewsctl command %s\n", id, id);
	if (n < 0 || (size_t)n >= sizeof leaving)
		return;
	leaving_len = (size_t)n;
	signal(SIGINT, leave);
	signal(SIGTERM, leave);
}

static int
exit_from_reason(const json_t *command)
{
	const char *reason = js_str(command, "reason");

	if (str_eq(reason, "timeout"))
		return EXIT_DEADLINE;
	if (str_eq(reason, "no_handler"))
		return EXIT_NO_HANDLER;
	if (str_eq(reason, "lost"))
		return EXIT_UNKNOWN;
	/* an agent of PROTOCOL 2 says no more than "failed" */
	return reason == NULL ? EXIT_NEGATIVE : EXIT_NOT_STARTED;
}

static int
exit_from_handler(const json_t *command)
{
	int64_t code = js_int(command, "exit_code", -1);
	int64_t number = js_int(command, "signal", 0);

	if (number > 0)
		return EXIT_SIGNALLED + (int)number;
	return code >= 0 ? (int)(code & 0xff) : EXIT_UNKNOWN;
}

int
exit_from_command(const json_t *command)
{
	const char *word = js_str(command, "state");
	enum command_state state;

	if (word == NULL || !state_from(word, &state))
		return EXIT_UNKNOWN;
	switch (state) {
	case CMD_DONE:
		return exit_from_handler(command);
	case CMD_FAILED:
		return exit_from_reason(command);
	case CMD_REFUSED:
		return EXIT_REFUSED;
	case CMD_CANCELLED:
		return js_int(command, "signal", 0) > 0
			   ? exit_from_handler(command)
			   : EXIT_NOT_STARTED;
	case CMD_EXPIRED:
	case CMD_DEAD:
		return EXIT_NOT_STARTED;
	default:
		return EXIT_UNKNOWN;
	}
}

const char *
exit_source(const json_t *command)
{
	const char *word = js_str(command, "state");

	if (str_eq(word, "done"))
		return "handler";
	if (str_eq(word, "failed") || str_eq(word, "refused") ||
	    str_eq(word, "interrupted"))
		return "agent";
	return "hub";
}

/* One answer to our request; true when it was the last. */
static bool
answer_taken(struct ask *a, json_t *answer, json_t **result, struct err *err)
{
	json_t *record = js_get(answer, "record");

	if (record != NULL) {
		note_id(a, js_str(record, "command_id"));
		a->out->record(record);
		return false;
	}
	if (ctl_failed(answer, err)) {
		*result = NULL;
		return true;
	}
	*result = json_incref(js_get(answer, "result"));
	return true;
}

/* A hub that went away while a handler may be running: nobody knows. */
static void
outcome_unknown(bool passthrough, struct err *err)
{
	if (!passthrough || leaving_len == 0)
		return;
	if (err->status != EXIT_UNREACHABLE && err->status != EXIT_PROTOCOL &&
	    err->status != EXIT_RETRY)
		return;
	err_prefix(err, "the outcome is not known");
	err->status = EXIT_UNKNOWN;
}

json_t *
ask_await(struct ask *a, json_t *request, bool passthrough, int *status,
    struct err *err)
{
	int64_t until = ask_deadline(conf_int(a->conf, SET_timeout) + SLACK_MS);
	json_t *result = NULL, *answer;
	bool last = false;

	if (!ask_hub(a, err) || ctl_send(a->ctl, request, err) == 0) {
		*status = err->status;
		return NULL;
	}
	while (!last && (answer = ctl_recv(a->ctl, until, err)) != NULL) {
		last = answer_taken(a, answer, &result, err);
		json_decref(answer);
	}
	if (result == NULL)
		outcome_unknown(passthrough, err);
	*status = result == NULL ? err->status
		  : passthrough  ? exit_from_command(result)
				 : EXIT_OK;
	return result;
}

static bool
report_to(const struct ask *a, const char *text, struct err *err)
{
	const char *file = conf_str(a->conf, SET_result_file);
	int fd = (int)conf_int(a->conf, SET_result_fd);
	size_t len = strlen(text);

	if (file != NULL && !path_write(file, text, len, 0644, err))
		return false;
	if (fd >= 0 && write(fd, text, len) != (ssize_t)len) {
		err_set(err, EXIT_IO, "io", "--result-fd %d: %s", fd,
		    strerror(errno));
		return false;
	}
	return true;
}

/* Before anything is sent: a result that cannot be written is no result. */
bool
ask_report_possible(const struct ask *a, struct err *err)
{
	const char *file = conf_str(a->conf, SET_result_file);
	char dir[PATH_SIZE];
	char *slash;

	if (file == NULL || !str_copy(dir, sizeof dir, file))
		return true;
	if ((slash = strrchr(dir, '/')) == NULL)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	if (access(dir, W_OK | X_OK) == 0)
		return true;
	err_set(err, EXIT_IO, "io", "--result-file %s: %s; nothing was sent",
	    file, strerror(errno));
	return false;
}

int
ask_report(
    const struct ask *a, const json_t *result, int status, struct err *err)
{
	json_t *report;
	char *json, *text;

	if (conf_str(a->conf, SET_result_file) == NULL &&
	    conf_int(a->conf, SET_result_fd) < 0)
		return status;
	report = json_pack("{s:i, s:s}", "exit_status", status, "said_by",
	    result == NULL ? "ewsctl" : exit_source(result));
	json_object_set_new(report, "result",
	    result == NULL ? json_null() : json_deep_copy(result));
	if (result == NULL)
		json_object_set_new(report, "error", json_string(err->text));
	json = js_write(report);
	text = mem_printf("%s\n", json);
	if (!report_to(a, text, err))
		status = EXIT_IO;
	free(json);
	free(text);
	json_decref(report);
	return status;
}
