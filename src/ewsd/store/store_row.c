#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store_priv.h"
#include "lib/buf.h"
#include "lib/exit.h"
#include "lib/secret.h"
#include "lib/str.h"

enum column {
	SEQ,
	ID,
	AGENT,
	TYPE,
	ARGV,
	ASKER,
	PRIORITY,
	STATE,
	ENDED,
	CREATED,
	UPDATED,
	DEADLINE,
	FLAGS,
	METHOD,
	ATTEMPTS,
	EXIT_CODE,
	SIGNAL,
	DURATION,
	STDOUT,
	STDERR,
	REASON,
	ERROR,
	DETAIL,
	RUN_AT,
	EXPIRES,
	SCHEDULE,
	CLEARED,
	LATE,
	DIGEST,
	PAYLOAD
};

static int64_t
number(sqlite3_stmt *q, enum column c, int64_t otherwise)
{
	if (sqlite3_column_type(q, c) == SQLITE_NULL)
		return otherwise;
	return sqlite3_column_int64(q, c);
}

/* It is an index later, and under no checksum: a damaged one is normal. */
static int
priority(sqlite3_stmt *q)
{
	int64_t p = number(q, PRIORITY, 1);

	return p >= 0 && p <= 3 ? (int)p : 1;
}

static void
read_outcome(sqlite3_stmt *q, struct store_outcome *o)
{
	o->exit_code = (int)number(q, EXIT_CODE, -1);
	o->signal = (int)number(q, SIGNAL, 0);
	o->duration_ms = number(q, DURATION, -1);
	o->stdout_bytes = number(q, STDOUT, -1);
	o->stderr_bytes = number(q, STDERR, -1);
	o->reason = db_text(q, REASON);
	o->error = db_text(q, ERROR);
	o->detail = db_text(q, DETAIL);
}

static const char *
text_or(const char *text, const char *otherwise)
{
	return text != NULL ? text : otherwise;
}

void
row_read(sqlite3_stmt *q, struct store_command *c)
{
	*c = (struct store_command){
		.id = text_or(db_text(q, ID), ""),
		.agent = text_or(db_text(q, AGENT), ""),
		.type = text_or(db_text(q, TYPE), ""),
		.payload = db_text(q, PAYLOAD),
		.payload_len = (size_t)sqlite3_column_bytes(q, PAYLOAD),
		.argv = db_text(q, ARGV),
		.asker = db_text(q, ASKER),
		.priority = priority(q),
		.state = CMD_DEAD,
		.seq = (uint64_t)number(q, SEQ, 0),
		.created_ms = number(q, CREATED, 0),
		.updated_ms = number(q, UPDATED, 0),
		.deadline_ms = number(q, DEADLINE, 0),
		.flags = (unsigned)number(q, FLAGS, 0),
		.method = db_text(q, METHOD),
		.attempts = (unsigned)number(q, ATTEMPTS, 0),
		.run_at_ms = number(q, RUN_AT, 0),
		.expires_ms = number(q, EXPIRES, 0),
		.schedule = db_text(q, SCHEDULE),
		.cleared = number(q, CLEARED, 0) != 0,
		.late_ms = number(q, LATE, 0),
		.digest = db_text(q, DIGEST),
	};
	state_from(text_or(db_text(q, STATE), ""), &c->state);
	read_outcome(q, &c->outcome);
}

static void
kill_row(struct store_command *c, const char *error)
{
	c->state = CMD_DEAD;
	c->outcome.reason = "checksum";
	c->outcome.error = error;
	if (c->payload == NULL) {
		c->payload = "{}";
		c->payload_len = 2;
	}
}

bool
row_check(sqlite3_stmt *q, struct store_command *c, struct err *err)
{
	char digest[STORE_DIGEST_SIZE];

	if (sqlite3_column_int(q, ENDED) != 0)
		return true;
	if (!store_digest(c, digest, err))
		return false;
	if (!str_eq(db_text(q, DIGEST), digest))
		kill_row(c, "its checksum is wrong: the disk changed it");
	else if (state_is_end(c->state))
		kill_row(c, "its state is unreadable: the disk changed it");
	return true;
}

/* The length in front of each part, so that no two commands run together
 * into the same bytes. */
static void
add_part(struct buf *b, const char *part, size_t len)
{
	if (part == NULL) {
		buf_text(b, "-,");
		return;
	}
	buf_printf(b, "%zu:", len);
	buf_add(b, part, len);
	buf_text(b, ",");
}

bool
store_digest(
    const struct store_command *c, char out[STORE_DIGEST_SIZE], struct err *err)
{
	struct buf b;
	bool ok;

	buf_init(&b, SIZE_MAX / 2);
	add_part(&b, c->id, strlen(c->id));
	add_part(&b, c->agent, strlen(c->agent));
	add_part(&b, c->type, strlen(c->type));
	add_part(&b, c->argv, c->argv != NULL ? strlen(c->argv) : 0);
	add_part(&b, c->payload, c->payload_len);
	ok = !b.failed;
	if (ok)
		secret_sha256_hex(out, b.bytes, b.len);
	else
		err_set(err, EXIT_RETRY, "too_many", "memory is out");
	buf_fini(&b);
	return ok;
}

bool
row_copy(
    struct store_command *dst, const struct store_command *src, struct err *err)
{
	struct store_command c = *src;
	struct store_outcome *o = &c.outcome;
	const struct db_lent lent[] = {
		{ &c.id, 0 }, /* first: row_free frees it */
		{ &c.agent, 0 },
		{ &c.type, 0 },
		{ &c.payload, c.payload_len },
		{ &c.argv, 0 },
		{ &c.asker, 0 },
		{ &c.method, 0 },
		{ &c.schedule, 0 },
		{ &c.digest, 0 },
		{ &o->reason, 0 },
		{ &o->error, 0 },
		{ &o->detail, 0 },
	};

	if (db_keep(lent, sizeof lent / sizeof *lent, err) == NULL)
		return false;
	*dst = c;
	return true;
}

void
row_free(struct store_command *c)
{
	free((char *)c->id);
	memset(c, 0, sizeof *c);
}
