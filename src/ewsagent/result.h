/*
 * result - what is said about a command: the data of command_ack frames
 *
 * ews-protocol(7). All give a reference.
 */
#ifndef EWS_EWSAGENT_RESULT_H
#define EWS_EWSAGENT_RESULT_H

#include <jansson.h>
#include <stdint.h>

#include "ewsagent/job.h"
#include "ewsagent/run.h"

/* "received", "executing" */
json_t *result_step(const char *id, const char *status);
/* It never ran, or nobody knows how it ended. 'reason' is a word of
 * ews-protocol(7), 'error' a sentence. */
json_t *result_failed(
    const char *id, const char *reason, const char *error, int64_t now_ms);
/* It ran to an end; its output has ended. */
json_t *result_ended(const struct job *, const struct run_end *, int64_t now_ms,
    int64_t duration_ms);
/* Only so much of its output can be had: says so, where it is less than
 * what was written. */
void result_kept(json_t *data, uint64_t out, uint64_t err);
/* What a hub that speaks PROTOCOL 2 only is told of it: 2.6. */
json_t *result_plain(const json_t *full);

#endif
