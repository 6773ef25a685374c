/*
 * log_priv - between log.c and log_limit.c
 */
#ifndef EWS_LIB_LOG_PRIV_H
#define EWS_LIB_LOG_PRIV_H

#include <stdarg.h>
#include <stdint.h>

#include "lib/log.h"

void log_line(enum log_level, const char *fmt, va_list)
    __attribute__((format(printf, 2, 0)));
bool log_wanted(enum log_level);
int64_t log_now(void); /* monotonic ms */

#endif
