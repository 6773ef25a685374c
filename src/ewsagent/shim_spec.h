/*
 * shim_spec - what the agent orders a shim to run, as a file
 *
 * Strings that each end with a NUL, so that any argument passes: a version,
 * then the members in their order. Not on the command line, where everybody
 * could read the environment's values.
 */
#ifndef EWS_EWSAGENT_SHIM_SPEC_H
#define EWS_EWSAGENT_SHIM_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

enum { SHIM_SPEC_MAX = 64 << 20 };

struct shim_spec {
	const char *path, *cwd;
	char *const *argv, *const *env;
	bool stdin_stream; /* else stdin is the file 'payload' */
	int64_t deadline_ms, grace_ms;
	uint64_t output_max;
};

void shim_spec_text(const struct shim_spec *, struct buf *);
/* Points into 'text', which is followed by a NUL; the two arrays are to be
 * freed. */
bool shim_spec_parse(struct shim_spec *, char *text, size_t len);

#endif
