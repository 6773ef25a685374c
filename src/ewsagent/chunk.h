/*
 * chunk - bytes of a handler as members of a frame
 *
 * Text goes as "data", anything else as base64 in "data64".
 */
#ifndef EWS_EWSAGENT_CHUNK_H
#define EWS_EWSAGENT_CHUNK_H

#include <jansson.h>
#include <stddef.h>

void chunk_set(json_t *data, const char *bytes, size_t n);
/* How many bytes at the front of what was cut out of a stream belong to a
 * character that began before it, if the rest is text; else 0. */
size_t chunk_front(const char *bytes, size_t n);

#endif
