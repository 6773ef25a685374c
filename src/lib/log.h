/*
 * log - one event, one line, on stderr
 *
 * A line is text ("2025-11-05T20:30:00.000Z info agent edge1: gone") or a
 * JSON object {"time","level","message"}. Control characters are escaped,
 * every "%s" argument is cut at LOG_ARG_MAX bytes by the caller's use of
 * log_q, and a source that repeats itself is limited: at most 'burst'
 * lines a second and source pass, then one line says how many were held.
 */
#ifndef EWS_LIB_LOG_H
#define EWS_LIB_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/clock.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum { LOG_ARG_MAX = 256 };

void log_init(const char *program, struct clock *, int fd); /* 2 */
void log_set_level(enum log_level);
void log_set_json(bool);
bool log_level_from(const char *word, enum log_level *);

/* Never fails; a line that cannot be written is dropped and counted. The
 * whole line is escaped, so the format may hold UTF-8 but no newline. */
void log_at(enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/* As log_at, limited per 'source' (a short word or an address): for
 * whatever a stranger can cause. */
void log_limited(const char *source, enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A stranger's text for a log line: escaped and cut. Up to four results of
 * it are valid at a time. */
const char *log_q(const char *text);
const char *log_qn(const char *bytes, size_t len);

/* Says what log_limited held back in seconds that are over. Any log call
 * does it, too; this is for a timer and for the end (all: also the second
 * that is still running). */
void log_settle(bool all);
/* Lines that could not be written so far. */
unsigned long log_dropped(void);

#endif
