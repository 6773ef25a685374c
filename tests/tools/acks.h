/*
 * acks - how an agent of foreign make acknowledges a command
 *
 * HOW is one or more of these words, joined by commas, one message each:
 * any 'status' such as received, executing, completed, failed; or success
 * and failure for the older form with a boolean.
 */
#ifndef TOOLS_ACKS_H
#define TOOLS_ACKS_H

#include "peer.h"

bool acks_is_command(const char *json);

/* Keeps the current message if it is a command. */
void acks_remember(struct peer *);

/* Acknowledges the command that was kept; false when it was not sent. */
bool acks_send(struct peer *, const char *how);

#endif
