/*
 * raw - stdin to a TCP or TLS port as it is, the answer to stdout
 */
#ifndef TOOLS_RAW_H
#define TOOLS_RAW_H

#include <stdbool.h>

#include "wire.h"

struct raw {
	struct wire_to to;
	bool hex; /* stdin is hex digits */
	bool half_close;
	long slow_ms; /* between two octets */
	long limit_ms;
};

/* Gives the exit status. */
int raw_run(const struct raw *);

#endif
