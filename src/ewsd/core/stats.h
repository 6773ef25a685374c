/*
 * stats - counters, listed in stats.def
 */
#ifndef EWS_EWSD_STATS_H
#define EWS_EWSD_STATS_H

#include <jansson.h>
#include <stdint.h>

struct stats {
#define STAT(name, gauge, help) uint64_t name;
#include "ewsd/core/stats.def"
#undef STAT
};

/* Gives an object name: value. */
json_t *stats_json(const struct stats *);

#endif
