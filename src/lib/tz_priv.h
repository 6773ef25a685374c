/*
 * tz_priv - a zone as its file describes it
 */
#ifndef EWS_LIB_TZ_PRIV_H
#define EWS_LIB_TZ_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/tz_rule.h"

struct tz {
	char *name;
	int64_t *times; /* ascending */
	int32_t *offsets; /* from times[i] on */
	size_t n;
	int32_t first; /* before times[0] */
	bool has_rule; /* after the last of times */
	struct tz_rule rule;
};

/* Fills all but the name. False if the bytes are no whole zone file, or
 * count leap seconds; tz_free is then still due. */
bool tz_read(struct tz *, const char *bytes, size_t len);

#endif
