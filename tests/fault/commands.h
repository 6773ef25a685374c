/*
 * commands - what the trials of the disk send, known by number alone
 *
 * Command 7 is "c7" for the agent "mini"; every fourth has a payload of
 * several database pages, every fifth is cancelled when it is accepted.
 */
#ifndef TESTS_COMMANDS_H
#define TESTS_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	COMMANDS_MAX = 10000,
	COMMAND_PAYLOAD = 16384, /* a buffer for one */
	SEND_ID = 10000, /* of the request that sends: plus the number */
	CANCEL_ID = 20000
};

bool command_is_cancelled(int k);
/* Its payload, compact, as the hub keeps it; returns the length. */
size_t command_payload(char out[COMMAND_PAYLOAD], int k);
/* The number of "c7"; 0: it is none of ours. */
int command_number(const char *id);

#endif
