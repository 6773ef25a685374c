/*
 * tz - the civil time of a zone, from the system's zone files
 *
 * RFC 8536 (TZif version 1 to 4, with the footer's rule for the years
 * beyond the table). Not by TZ and tzset: those are one for the whole
 * process, and other threads read the environment.
 */
#ifndef EWS_LIB_TZ_H
#define EWS_LIB_TZ_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

struct tz;

/* "UTC", or a name such as Europe/Berlin: letters, digits, "_+-/", no "..".
 * Looked for in $TZDIR, /usr/share/zoneinfo, /var/db/timezone/zoneinfo.
 * NULL with err (EXIT_DATA): no such zone, or no zone files here. */
struct tz *tz_open(const char *name, struct err *);
void tz_free(struct tz *);
const char *tz_name(const struct tz *); /* lent */

/* Seconds east of UTC at that moment (Unix seconds). */
int32_t tz_offset(const struct tz *, int64_t at);
/* The next change of the offset after 'at', or INT64_MAX. */
int64_t tz_next_change(const struct tz *, int64_t at);

#endif
