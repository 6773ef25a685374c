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
	"reason, error, detail, run_at_ms, expires_ms, schedule, cleared, "
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

const char *row_stored_digest(sqlite3_stmt *);

/* SHA-256 over what makes two commands the same: id, agent, type, argv and
 * payload. False with err when memory is out. */
enum { DIGEST_SIZE = 65 };
bool
row_digest(const struct store_command *, char out[DIGEST_SIZE], struct err *);

/* Copies into one block, whose start is dst->id: row_free frees it. */
bool row_copy(
    struct store_command *dst, const struct store_command *src, struct err *);
void row_free(struct store_command *);

enum { HISTORY_MAX = 1000 };

#endif
