/*
 * ledger - which commands were taken, started and ended here
 *
 * A command id is in it before its handler starts, on disk, so that a
 * repeat is answered and not run (DESIGN 4.2). A start is there with the
 * boot of the machine it happened in: what was started before it died may
 * have run, whatever its directory says (DESIGN 4.3). Answers come from the
 * loop after the sync.
 */
#ifndef EWS_EWSAGENT_LEDGER_H
#define EWS_EWSAGENT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct ledger;

enum ledger_state { LEDGER_RECEIVED, LEDGER_STARTED, LEDGER_ENDED };

struct ledger_entry {
	const char *id;
	enum ledger_state state;
	const char *command; /* JSON text as it came; "": confirmed */
	const char *result; /* JSON text of the final ack's data, or NULL */
	bool confirmed; /* the hub has said that it stored the result */
	const char *boot; /* of the last start, or NULL */
	unsigned runs; /* how often it was started */
	int64_t received_ms, started_ms, ended_ms; /* 0: not yet */
};

struct ledger_config {
	const char *path; /* DIR/ledger.db */
	const char *boot; /* this boot of the machine; NULL if not known */
	void (*wake)(void *arg); /* from the writer: call ledger_drain */
	void *arg;
	size_t max_jobs;
	int retry_ms; /* between attempts while the disk refuses; 0: 1000 */
};

struct ledger *ledger_open(const struct ledger_config *, struct err *);
void ledger_close(struct ledger *);
void ledger_drain(struct ledger *);
void ledger_flush(struct ledger *);

/* At the start: every entry that is not both ended and confirmed, in the
 * order received. */
typedef void ledger_entry_fn(void *arg, const struct ledger_entry *);
bool ledger_load(struct ledger *, ledger_entry_fn *, void *arg, struct err *);

/*
 * Takes a command: enters it as received, or as started if 'start' (one
 * sync instead of two where the handler can run at once). 'known' is the
 * earlier entry of that id, or NULL if it is new. err: nothing is entered.
 */
typedef void ledger_taken_fn(
    void *arg, const struct ledger_entry *known, const struct err *);
bool ledger_take(struct ledger *, const char *id, const char *command,
    bool start, int64_t now_ms, ledger_taken_fn *, void *arg, struct err *);

/* ledger_take gave err, and the hub decides anew; but what failed may be on
 * the disk all the same, and must not run at the next start. */
bool ledger_untake(struct ledger *, const char *id);

typedef void ledger_done_fn(void *arg, const struct err *);
/* received -> started; the handler may be run in 'done', not before. */
bool ledger_start(struct ledger *, const char *id, int64_t now_ms,
    ledger_done_fn *, void *arg, struct err *);
/* started -> received: it may run again, having run so often. Never ran, or
 * its policy allows it. */
bool ledger_again(struct ledger *, const char *id, unsigned runs);
/* What is known of an id: 'known' is NULL if nothing is. */
bool ledger_find(struct ledger *, const char *id, ledger_taken_fn *, void *arg,
    struct err *);
/* The final ack's data; kept and tried again if the disk refuses. The first
 * end stands: a second one is answered with too_late. */
bool ledger_end(struct ledger *, const char *id, const char *result,
    int64_t now_ms, ledger_done_fn *, void *arg);
/* The hub has it: it need not be sent again, and what was asked is
 * forgotten. */
bool ledger_confirm(struct ledger *, const char *id);
/* Forgets confirmed ends beyond the newest 'keep' and older than
 * 'before_ms' (both must hold); at most 1000 rows a call. */
bool ledger_prune(struct ledger *, int64_t before_ms, uint64_t keep);

#endif
