/*
 * cron_tail - the last bytes of a job's output
 */
#ifndef EWS_EWSCTL_CRON_TAIL_H
#define EWS_EWSCTL_CRON_TAIL_H

#include "ewsctl/cron_child.h"

void cron_tail_add(struct cron_child *, const char *bytes, size_t len);

#endif
