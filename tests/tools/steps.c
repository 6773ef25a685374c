/*
 * steps - the verbs of a wsprobe script
 */
#include "steps.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "number.h"

static void
do_sleep(struct peer *p, char **arg, int n)
{
	long ms = number(arg[0], 0, 86400000);

	(void)p;
	(void)n;
	usleep((useconds_t)(ms % 1000) * 1000);
	sleep((unsigned)(ms / 1000));
}

static void
do_say(struct peer *p, char **arg, int n)
{
	(void)p;
	(void)n;
	puts(arg[0]);
}

const struct step steps[] = {
	{ "expect-status", "CODE", 1, 1, NULL,
	    "first step only: the answer to the handshake; it is printed" },
	{ "expect-head", "TEXT", 1, 1, NULL,
	    "a line of the answer contains TEXT (any case)" },
	{ "expect-protocol", "NAME", 1, 1, NULL,
	    "the subprotocol that was chosen; '' for none" },
	{ "send", "TEXT", 1, 1, do_send, "a text message" },
	{ "send-bin", "TEXT", 1, 1, do_send_bin, "a binary message" },
	{ "send-file", "FILE", 1, 1, do_send_file, "a file as text message" },
	{ "send-size", "N", 1, 1, do_send_size,
	    "a JSON string of N octets, quotes included" },
	{ "send-raw", "HEX", 1, 1, do_send_raw, "octets as they are" },
	{ "frame", "HEX HEX", 2, 2, do_frame,
	    "a frame: first octet (89 is a ping), payload" },
	{ "fragments", "N TEXT", 2, 2, do_fragments,
	    "TEXT in N frames, empty ones if it is short" },
	{ "announce", "LEN", 1, 1, do_announce,
	    "only the head of a text frame of LEN octets" },
	{ "pad", "N", 1, 1, do_pad, "N raw octets 'a', to follow announce" },
	{ "ping", "[TEXT]", 0, 1, do_ping, "a ping" },
	{ "expect-pong", "[TEXT]", 0, 1, do_expect_pong,
	    "wait for a pong (with TEXT); messages are printed" },
	{ "flood-ping", "N", 1, 1, do_flood_ping,
	    "N pings that carry 1, 2, ... N" },
	{ "recv", "", 0, 0, do_recv, "print the next message" },
	{ "recv-match", "TEXT", 1, 1, do_recv_match,
	    "print messages up to one with TEXT in it" },
	{ "no-message", "MS", 1, 1, do_no_message,
	    "neither a message nor a close for so long" },
	{ "hold", "", 0, 0, do_hold, "print messages until it is closed" },
	{ "ack", "HOW", 1, 1, do_ack, "acknowledge the last command" },
	{ "ack-all", "HOW [N]", 1, 2, do_ack_all,
	    "print and acknowledge N commands, or until it is closed" },
	{ "close", "[CODE [REASON]]", 0, 2, do_close,
	    "send a close frame, do not wait" },
	{ "recv-close", "[CODE [REASON]]", 0, 2, do_recv_close,
	    "wait for the close and print it; messages are dropped" },
	{ "recv-eof", "", 0, 0, do_recv_eof, "wait for the end of the stream" },
	{ "abort", "", 0, 0, do_abort, "reset the connection" },
	{ "sleep", "MS", 1, 1, do_sleep, "neither read nor write for so long" },
	{ "say", "TEXT", 1, 1, do_say, "print TEXT, to tell that we are here" },
	{ 0 }
};

const struct step *
step_find(const char *name)
{
	for (const struct step *s = steps; s->name != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}
