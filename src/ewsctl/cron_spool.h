/*
 * cron_spool - records that the hub has not got yet
 *
 * One file each, whose name sorts by time and says what it is:
 * UUIDv7.EVENT.RUN. A record is on disk before anybody is told; the hub
 * takes each once, however often it is sent.
 */
#ifndef EWS_EWSCTL_CRON_SPOOL_H
#define EWS_EWSCTL_CRON_SPOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ewsctl/ask.h"

enum { SPOOL_FILES = 1000, SPOOL_BYTES = 10 * 1024 * 1024 };

/* Makes DIR. False with err. */
bool cron_spool_open(const char *dir, struct err *);
/* Adds a request of op job_record. Where that is too much the oldest go,
 * runs that have ended first, and *dropped says how many. */
bool cron_spool_put(
    const char *dir, const json_t *record, unsigned *dropped, struct err *);
/* A process that sends what is there, in order, and ends; -1 with err. */
pid_t cron_spool_send(const char *dir, struct ask *, struct err *);

#endif
