/*
 * clock - what time it is, and how times are written
 *
 * Everything that asks for the time is handed a clock, so that a test can
 * make a day pass in a second. Wall time is for people and tokens;
 * intervals and time-outs use the monotonic one.
 */
#ifndef EWS_LIB_CLOCK_H
#define EWS_LIB_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock {
	int64_t (*wall_ms)(struct clock *); /* Unix milliseconds */
	int64_t (*mono_ms)(struct clock *); /* of an arbitrary origin */
	int64_t fake_wall, fake_mono; /* used by clock_fake only */
};

extern struct clock clock_system;
/* Stands still until clock_advance. */
void clock_fake(struct clock *, int64_t wall_ms);
void clock_advance(struct clock *, int64_t ms);

int64_t clock_wall(struct clock *);
int64_t clock_mono(struct clock *);

/* RFC 3339 UTC with milliseconds: 2025-11-05T20:30:00.000Z. */
enum { CLOCK_TEXT_SIZE = 25 };
char *clock_text(char out[CLOCK_TEXT_SIZE], int64_t unix_ms);

/* RFC 3339 with or without fraction and offset (none means UTC), "@unix"
 * seconds, or bare Unix seconds or milliseconds (PROTOCOL 1.10). */
bool clock_parse(const char *text, int64_t *unix_ms);

/* "500ms", "10s", "10m", "1h30m", "2d"; a bare number is in 'unit_ms'.
 * No sign; at most 10 years. */
bool clock_span(const char *text, int64_t unit_ms, int64_t *ms);
/* "1.5 s", "3 min": for people. Returns out. */
char *clock_span_text(char *out, size_t size, int64_t ms);

#endif
