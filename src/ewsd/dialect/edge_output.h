/*
 * edge_output - the one frame that is worth a reader of its own
 *
 * Output comes by the hundred megabytes; parsing it as any other message
 * costs more than all the rest of its way. This reads the form that our
 * agent writes; whatever looks otherwise, or is wrong, is left to the
 * common way.
 */
#ifndef EWS_EWSD_EDGE_OUTPUT_H
#define EWS_EWSD_EDGE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsd/core/command.h"

struct edge_output {
	char id[129];
	enum output_stream stream;
	int64_t offset;
	const char *data; /* in the text: decoded; or base64 */
	size_t len, bytes; /* of data; what it stands for */
	bool b64;
};

/* False: nothing was touched. True: the text is used up. It must be valid
 * UTF-8, without a NUL. */
bool edge_output_read(char *text, size_t len, struct edge_output *);

/* The bytes that canonical base64 text stands for; 0 if it is none. */
size_t edge_b64_bytes(const char *text, size_t len);
/* "stdout" or "stderr". */
bool edge_stream_from(const char *word, size_t len, enum output_stream *);

#endif
