/* what a signal means in a session: for the handler, or the end of us */
#include <signal.h>

#include "ewsctl/session_priv.h"
#include "ewsctl/signals.h"
#include "lib/str.h"

void
session_signal(struct session *s, const char *name)
{
	struct err e = ERR_INIT;
	json_t *r;

	if (s->ask->ctl == NULL) {
		session_say(s, "the hub is away: no SIG%s for %s", name, s->id);
		return;
	}
	r = json_pack("{s:s, s:s, s:s, s:i}", "op", "cancel", "command_id",
	    s->id, "signal", name, "grace_ms", SIGNALS_GRACE_MS);
	s->cancel_id = ctl_send(s->ask->ctl, r, &e);
	json_decref(r);
}

static void
leave(struct session *s, int number)
{
	s->left_by = number;
	s->over = true;
	if (s->id == NULL)
		return;
	if (s->known && s->input != NULL && !input_over(s->input))
		session_say(s,
		    "%s goes on, and ends soon if nobody feeds it: ewsctl "
		    "attach --stdin %s",
		    s->id, s->id);
	else if (s->known)
		session_say(s, "%s goes on; to follow it: ewsctl attach %s",
		    s->id, s->id);
	else
		session_say(s,
		    "whether the hub has %s is not known; see: ewsctl "
		    "command %s",
		    s->id, s->id);
}

static void
say_interrupted(const struct session *s)
{
	if (s->ask->ctl == NULL)
		session_say(s, "once more leaves %s running", s->id);
	else if (str_eq(s->step, "started"))
		session_say(s,
		    "sending SIGINT to the handler; once more leaves %s "
		    "running",
		    s->id);
	else
		session_say(
		    s, "taking %s back; once more leaves it to run", s->id);
}

bool
session_on_signal(void *arg)
{
	struct session *s = arg;
	int number;

	while (!s->over && (number = signals_next()) != 0) {
		if (number != SIGINT || s->interrupts++ > 0 ||
		    !(s->flags & SESSION_INTERRUPT)) {
			leave(s, number);
			continue;
		}
		/* first: the sentence may wait for its reader */
		session_signal(s, "INT");
		say_interrupted(s);
	}
	return !s->over;
}
