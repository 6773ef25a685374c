/* --result-file and --result-fd: the result and who said it */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/str.h"

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
