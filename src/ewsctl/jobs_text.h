#ifndef EWS_EWSCTL_JOBS_TEXT_H
#define EWS_EWSCTL_JOBS_TEXT_H

#include <jansson.h>

/* {"jobs":[...],"runs":[...]?} for people. */
void text_jobs(const json_t *);

#endif
