/*
 * steps - the verbs of a wsprobe script
 */
#ifndef TOOLS_STEPS_H
#define TOOLS_STEPS_H

#include "peer.h"
#include "upgrade.h"

/* In send_steps.c and recv_steps.c. */
typedef void step_fn(struct peer *, char **arg, int n);

step_fn do_send, do_send_bin, do_send_file, do_send_size;
step_fn do_send_raw, do_frame, do_fragments, do_flood_ping;
step_fn do_announce, do_pad, do_ping, do_ack, do_close, do_abort;
step_fn do_expect_pong, do_recv, do_recv_match, do_recv_close;
step_fn do_recv_eof, do_no_message, do_hold, do_ack_all;

struct step {
	const char *name;
	const char *args;
	int need, may; /* arguments that it needs, and may have */
	step_fn *run;
	const char *help;
};

/* Ended by an entry without a name. Those without 'run' look at the answer
 * to the handshake and are done by main. */
extern const struct step steps[];

const struct step *step_find(const char *name);

#endif
