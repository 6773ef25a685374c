/*
 * promises - what a hub has said that it keeps, and whether it is there
 */
#ifndef TESTS_PROMISES_H
#define TESTS_PROMISES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "commands.h"

struct promises {
	bool accepted[COMMANDS_MAX], cancelled[COMMANDS_MAX];
	size_t n; /* of both */
	char line[65536]; /* an answer that is not yet whole */
	size_t len;
};

/* More of what went out of the control socket. */
void promises_feed(struct promises *, const char *bytes, size_t len);
/* As ackrun prints them. */
void promises_print(const struct promises *, FILE *);

/* Opens DIR/ews.db as the hub does. How many are broken; what, on stderr
 * if 'tell'. A database that does not open breaks them all, or 1. */
size_t promises_broken(const struct promises *, const char *dir, bool tell);

#endif
