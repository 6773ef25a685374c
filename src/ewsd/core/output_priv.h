/*
 * output_priv - what output.c (readers and the agent), output_chunk.c (one piece)
 * and output_end.c (how much there is) share
 */
#ifndef EWS_EWSD_OUTPUT_PRIV_H
#define EWS_EWSD_OUTPUT_PRIV_H

#include "ewsd/core/core_priv.h"

/* ews-protocol(7), limits */
enum { OUTPUT_WINDOW = 256 * 1024, OUTPUT_CHUNK = 32 * 1024 };

struct output_state {
	enum link_kind attached; /* how the agent was told; NONE: it was not */
	int64_t at[2]; /* it goes on there, or further on */
	int64_t credited[2]; /* it was told that this was taken */
	int64_t allowed[2]; /* and may go so far, at most, on this link */
	int64_t limit[2]; /* no more will come; -1: all that was written */
	int64_t moved_mono; /* something came of it */
	int64_t linger_mono; /* a reader may come back until then */
	bool gone; /* the agent has no more of it */
	bool answered; /* something came since it was told */
	bool nudged; /* it was told that it repeats itself */
	struct store_kept kept; /* while it waits for the disk */
	char *kept_bytes[2];
};

/* Made when first asked for. */
struct output_state *output_state(struct command *);
/* Something came of it. */
void output_moved(struct command *);
/* Does anybody read it? */
bool output_wanted(const struct command *);
/* Has it been given what it has not taken yet? */
bool watcher_pending(const struct watcher *);

#endif
