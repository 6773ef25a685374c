/*
 * cron_child - a local job: started, listened to, waited for
 *
 * Its bytes go to our stdout and stderr as they are, or are held back; the
 * last of both together are remembered. Signals that we are sent are
 * passed on to it.
 */
#ifndef EWS_EWSCTL_CRON_CHILD_H
#define EWS_EWSCTL_CRON_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ewsctl/spill.h"
#include "lib/err.h"

enum { CRON_TAIL = 64 * 1024 };

struct cron_stream {
	int from, to; /* its pipe, -1 when over; our stdout or stderr */
	struct spill *held; /* or NULL: passed on at once */
	char bytes[4096]; /* read, and not yet written */
	size_t len, at;
};

struct cron_child {
	pid_t pid; /* -1: it could not be started */
	bool ended;
	int exit_code; /* of its end; -1: by a signal */
	int signal;
	int64_t started_ms; /* wall */
	int64_t duration_ms;
	int64_t started_mono;
	struct cron_stream streams[2];
	char tail[CRON_TAIL]; /* a ring */
	uint64_t total; /* bytes of both streams */
};

/* Catches the signals; before the first start. */
void cron_signals(void);
/* For a child of ours that is no job: as if cron_signals never was. */
void cron_signals_reset(void);

/* Starts argv[0] (looked for in the PATH of 'env') with 'env'. 'hold': its
 * output is for cron_child_show. A program that cannot be started is a
 * child that has ended with 127 or 126, as in a shell; 'err' says why. */
void cron_child_start(
    struct cron_child *, char **argv, char **env, bool hold, struct err *err);
/* Until it has ended and its output has been written. */
void cron_child_wait(struct cron_child *);
/* What was held back. */
void cron_child_show(struct cron_child *);
void cron_child_fini(struct cron_child *);

/* The last bytes of its output, whole characters where it is text; gives. */
char *cron_child_tail(const struct cron_child *, size_t *len);

/* Waits for another child, at most 'ms' or until we are to leave, then ends
 * it. */
void cron_reap(pid_t pid, int64_t ms);

#endif
