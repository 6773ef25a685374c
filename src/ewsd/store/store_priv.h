/*
 * store_priv - what the files of the SQLite store share
 *
 * store_sqlite.c opens and loads, store_write.c and store_read.c hold the
 * jobs, store_row.c turns rows into commands.
 */
#ifndef EWS_EWSD_STORE_PRIV_H
#define EWS_EWSD_STORE_PRIV_H

#include "ewsd/store/store.h"
#include "lib/db.h"

struct store {
	struct db *db;
	char hub_id[33];
	uint64_t epoch, last_seq;
};

/* The columns of a command in the order row_read takes them. */
#define ROW_COLUMNS                                                            \
	"seq, id, agent, type, argv, asker, priority, state, ended, "          \
	"created_ms, updated_ms, deadline_ms, flags, method, attempts, "       \
	"exit_code, signal, duration_ms, stdout_bytes, stderr_bytes, "         \
	"reason, error, detail, run_at_ms, expires_ms, schedule, cleared, "    \
	"late_ms, "
#define ROW_FULL                                                               \
	ROW_COLUMNS "digest, payload FROM commands LEFT JOIN payloads "        \
		    "USING (seq) "
/* For lists: without the payload. */
#define ROW_BRIEF ROW_COLUMNS "NULL, NULL FROM commands "

/* The row a statement stands at; its texts are lent by the statement. */
void row_read(sqlite3_stmt *, struct store_command *);
/* Is what is still to be executed what was accepted? If not, the command
 * becomes CMD_DEAD with a reason. False with err when memory is out. */
bool row_check(sqlite3_stmt *, struct store_command *, struct err *);

/* Copies into one block, whose start is dst->id: row_free frees it. */
bool row_copy(
    struct store_command *dst, const struct store_command *src, struct err *);
void row_free(struct store_command *);

enum { HISTORY_MAX = 1000, ENDS_MAX = HISTORY_MAX + 100 };

/* store_write.c: a new command, its payload and the first line of its
 * history. *made: false if the id is taken. */
bool row_insert(sqlite3 *, struct db *, const struct store_command *,
    const char *digest, bool *made, struct err *);
/* store_dead.c: for store_list with 'dead'. Is the content what was accepted?
 * If not, its reason becomes "checksum". False with err: memory is out. */
sqlite3_stmt *dead_rows(struct db *, const struct store_filter *);
bool dead_check(struct store_command *, struct err *);
/* A note in the history of a command, by seq. */
bool row_note(
    struct db *, int64_t seq, int64_t at_ms, const char *note, struct err *);

/* store_output.c: the last of the output, in the job that stores its end. */
bool
output_write(struct db *, int64_t seq, const struct store_kept *, struct err *);

/* store_schedule.c: a firing in the job that accepts its command. */
struct firing;
struct firing *
firing_new(const struct store_firing *, int64_t at_ms, struct err *);
void firing_free(struct firing *); /* or NULL */
bool firing_write(
    struct db *, const struct firing *, enum store_accepted, struct err *);

#endif
