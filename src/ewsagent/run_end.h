/*
 * run_end - how a handler ended, as the shim writes it and the agent reads it
 */
#ifndef EWS_EWSAGENT_RUN_END_H
#define EWS_EWSAGENT_RUN_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RUN_LINGER_MS = 1000, /* after the exit, for what holds its pipes */
	RUN_MOP_MS = 1000, /* then TERM, and later KILL for what is left */
	RUN_GRACE_MAX_MS = 600000,
	RUN_TAIL = 1024, /* bytes */
	RUN_DIGEST_SIZE = 65
};

/* Why it ended; the first one counts. */
enum run_why { RUN_SELF, RUN_TIMEOUT, RUN_CANCELLED };

struct run_stream {
	uint64_t bytes; /* written by the handler */
	uint64_t kept; /* in the spool, from 0 */
	char digest[RUN_DIGEST_SIZE]; /* SHA-256 of all bytes, in hex */
	char tail[RUN_TAIL]; /* the last bytes */
	size_t tail_len;
};

struct run_end {
	enum run_why why;
	int code; /* exit status, or -1 */
	int signal; /* that killed it, or 0 */
	int64_t started_ms, ended_ms; /* wall */
	int64_t duration_ms; /* monotonic */
	struct run_stream streams[2];
};

const char *run_why_word(enum run_why);
bool run_why_from(const char *word, enum run_why *);

/* Lines of text without a seal; gives. */
char *run_end_text(const struct run_end *);
bool run_end_parse(struct run_end *, char *text); /* cuts 'text' up */

#endif
