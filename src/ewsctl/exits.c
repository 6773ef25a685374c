/* what the end of a command means for the shell (DESIGN 8, passthrough) */
#include "ewsctl/ask.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/state.h"
#include "lib/str.h"

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
		return js_int(command, "signal", 0) > 0 ||
			       js_int(command, "exit_code", -1) >= 0
			   ? exit_from_handler(command)
			   : EXIT_NOT_STARTED;
	case CMD_EXPIRED:
	case CMD_DEAD:
		return EXIT_NOT_STARTED;
	default:
		return EXIT_UNKNOWN;
	}
}

/* One that ended otherwise will never be there. */
int
exit_from_step(const json_t *command, const char *step, struct err *err)
{
	const char *word = js_str(command, "state");
	const char *why = js_str(command, "error");
	enum command_state state;

	if (str_eq(step, "accepted") || word == NULL ||
	    !state_from(word, &state) || !state_is_end(state) ||
	    state == CMD_DONE)
		return EXIT_OK;
	err_set(err, EXIT_NEGATIVE, "too_late", "%s has ended: %s%s%s",
	    js_str(command, "command_id"), word, why != NULL ? ": " : "",
	    why != NULL ? why : "");
	return err->status;
}

const char *
exit_source(const json_t *command)
{
	const char *word = js_str(command, "state");

	if (js_get(command, "agents") != NULL) /* a summary of many */
		return "ewsctl";
	if (str_eq(word, "done"))
		return "handler";
	if (str_eq(word, "failed") || str_eq(word, "refused") ||
	    str_eq(word, "interrupted"))
		return "agent";
	return "hub";
}
