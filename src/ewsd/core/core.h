/*
 * core - the one place that owns agents, commands and clients
 *
 * Knows no transport, no wire field, no disk format, no wall clock of its
 * own (DESIGN 3). Time passes for it only in core_tick.
 */
#ifndef EWS_EWSD_CORE_H
#define EWS_EWSD_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsd/core/stats.h"
#include "ewsd/store/store.h"
#include "lib/clock.h"
#include "lib/err.h"

struct agent;
struct client;
struct command;
struct core;

struct core_limits {
	size_t payload; /* bytes of one payload: 256 KiB */
	size_t queue_agent; /* commands not ended, per agent: 10,000 */
	size_t queue_agent_bytes; /* 64 MiB */
	size_t queue_total; /* 100,000 */
	size_t queue_total_bytes; /* 512 MiB */
	size_t agents; /* known agents: 100,000 */
	size_t inflight; /* delivered and not ended, per ews.v1 agent,
				 * unless its hello says less: 256 */
	unsigned flap_takeovers; /* 3 ... */
	int64_t flap_window_ms; /* ... in 10 s: damped ... */
	int64_t flap_hold_ms; /* ... for 30 s */
	int64_t retain_ms; /* finished commands: 7 days */
	uint64_t retain_count; /* 100,000 */
	size_t jobs; /* local jobs known: 10,000 */
	unsigned job_keep; /* runs kept of each: 100 */
	unsigned max_deliveries; /* never received: dead: 20; 0: any */
	unsigned agent_log_keep; /* lines about each agent's link: 100 */
	int64_t late_after_ms; /* late=skip: so late is too late: 60 s */
	int64_t cancel_wait_ms; /* for the agent's word: 5 s */
	size_t schedules; /* 10,000 ... */
	size_t schedules_bytes; /* ... with payloads of 64 MiB in all */
	size_t output_keep; /* of each stream, with an end: 64 KiB */
	int64_t output_wait_ms; /* for output after the end: 30 s */
	size_t input_window; /* beyond the last ack: 256 KiB */
	int64_t input_grace_ms; /* without a sender: 30 s */
};

struct core_config {
	struct clock *clock;
	struct store *store; /* lent; the caller drains it */
	const struct core_limits *limits; /* lent */
};

/* Loads what the store holds. NULL with err. */
struct core *core_new(const struct core_config *, struct err *);
void core_free(struct core *);
/* Often (every 100 ms): deadlines, retention, flap holds. */
void core_tick(struct core *);
/* No new durable work from now on (code "draining"). */
void core_drain(struct core *);
bool core_draining(const struct core *);

struct store *core_store(const struct core *);
const struct core_limits *core_limits(const struct core *);
struct stats *core_stats(struct core *); /* cheap: for counting */
/* Before showing them: brings the gauges up to date. */
void core_gauges(struct core *);
int64_t core_wall(const struct core *); /* Unix ms, of this turn */
int64_t core_mono(const struct core *);

#endif
