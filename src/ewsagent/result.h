/*
 * result - what is said about a command: the data of command_ack frames
 *
 * ews-protocol(7). All give a reference.
 */
#ifndef EWS_EWSAGENT_RESULT_H
#define EWS_EWSAGENT_RESULT_H

#include <jansson.h>
#include <stdint.h>

#include "ewsagent/output.h"
#include "ewsagent/run.h"

/* "received", "executing", and "completed" of what a PROTOCOL 2 hub gave us
 * to keep. */
json_t *result_step(const char *id, const char *status);
json_t *result_stored(const char *id, int64_t now_ms);
/* It never ran, or nobody knows how it ended. 'reason' is a word of
 * ews-protocol(7), 'error' a sentence. */
json_t *result_failed(
    const char *id, const char *reason, const char *error, int64_t now_ms);
/* It ran to an end. 'kept': its output can be had, as far as it was kept. */
json_t *result_ended(const char *id, const struct run_end *, bool kept);
/* What the agent did itself: well, or with an error. */
json_t *result_own(const char *id, const char *error, int64_t now_ms);
/* Its probe says that it did its work. */
json_t *result_probed(const char *id, int64_t started_ms, int64_t now_ms);
void result_started(json_t *data, int64_t started_ms); /* 0: never */
/* Only so much of its output can be had: says so, where it is less than
 * what was written. */
void result_kept(json_t *data, uint64_t out, uint64_t err);
/* What a hub that speaks PROTOCOL 2 only is told of it: 2.6. */
json_t *result_plain(const json_t *full);

#endif
