/* verbs that change something: cancel, config; and raw, that may do all */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

static void
add_verdict(struct err *err)
{
	if (str_eq(err->code, "too_late"))
		err_prefix(err, "too late");
	else if (str_eq(err->code, "command_unknown"))
		err_prefix(err, "unknown");
}

int
cmd_cancel(struct ask *a, struct err *err)
{
	json_t *result,
	    *r = json_pack("{s:s, s:s, s:s, s:I}", "op", "cancel", "command_id",
		a->argv[0], "signal", conf_str(a->conf, SET_signal), "grace_ms",
		(json_int_t)conf_int(a->conf, SET_grace));

	if (r == NULL) {
		err_set(err, EXIT_DATA, "bad_argument", "ID is not UTF-8");
		return err->status;
	}
	if ((result = ask_call(a, r, err)) == NULL) {
		add_verdict(err);
		return err->status;
	}
	a->out->cancel(result);
	json_decref(result);
	return EXIT_OK;
}

/* KEY=VALUE: a JSON value where it is one, else a string. */
static bool
add_setting(json_t *config, const char *pair, struct err *err)
{
	const char *eq = strchr(pair, '=');
	char *key;
	json_t *value;
	int bad;

	if (eq == NULL || eq == pair) {
		err_set(err, EXIT_USAGE_, "usage", "not KEY=VALUE: %s", pair);
		return false;
	}
	key = mem_dupn(pair, (size_t)(eq - pair));
	value =
	    json_loads(eq + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (value == NULL)
		value = json_string(eq + 1);
	bad = value == NULL || json_object_set_new(config, key, value) != 0;
	free(key);
	if (bad)
		err_set(
		    err, EXIT_DATA, "bad_argument", "%s is not UTF-8", pair);
	return !bad;
}

int
cmd_config(struct ask *a, struct err *err)
{
	json_t *config = json_object(), *r, *result;

	for (int i = 1; i < a->argc; i++) {
		if (add_setting(config, a->argv[i], err))
			continue;
		json_decref(config);
		return err->status;
	}
	r = json_pack("{s:s, s:s, s:o}", "op", "config", "agent", a->argv[0],
	    "config", config);
	if ((result = ask_call(a, r, err)) == NULL)
		return err->status;
	a->out->config(result);
	json_decref(result);
	return EXIT_OK;
}

/* The answers as they came, until one that is the last of its request. */
static int
show_answers(struct ask *a, struct err *err)
{
	int64_t until = ask_deadline(conf_int(a->conf, SET_timeout));

	for (;;) {
		json_t *answer = ctl_recv(a->ctl, until, err);
		struct err said = ERR_INIT;
		size_t len;
		const char *line;
		bool last;

		if (answer == NULL)
			return err->status;
		line = ctl_line(a->ctl, &len);
		fwrite(line, 1, len, stdout);
		putchar('\n');
		fflush(stdout);
		last = js_get(answer, "record") == NULL;
		ctl_failed(answer, &said);
		json_decref(answer);
		if (last)
			return said.status;
	}
}

int
cmd_raw(struct ask *a, struct err *err)
{
	size_t len = strlen(a->argv[0]);
	char *line = str_eq(a->argv[0], "-")
			 ? ask_slurp("-", CTL_LINE_MAX, &len, err)
			 : mem_dup(a->argv[0]);
	bool sent;

	if (line == NULL)
		return err->status;
	while (len > 0 && line[len - 1] == '\n')
		len--;
	sent = ask_hub(a, err) && ctl_send_raw(a->ctl, line, len, err);
	free(line);
	return sent ? show_answers(a, err) : err->status;
}
