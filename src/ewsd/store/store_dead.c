/* Ends that somebody has to see to: dropped, or sent again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store_priv.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { NOTE_SIZE = 160 };

/* Who waited with his input is gone, and nobody reads what comes out. */
enum { KEPT_FLAGS = STORE_AT_LEAST_ONCE };

struct store_command
store_renew(const struct store_command *old, const char *id, uint64_t seq,
    int64_t now_ms, const char *asker)
{
	int64_t since =
	    old->run_at_ms > old->created_ms ? old->run_at_ms : old->created_ms;
	struct store_command c = *old;

	c.id = id;
	c.seq = seq;
	c.state = CMD_ACCEPTED;
	c.asker = asker;
	c.created_ms = c.updated_ms = now_ms;
	c.run_at_ms = c.late_ms = 0;
	c.expires_ms = 0;
	if (old->expires_ms > since)
		c.expires_ms = now_ms + (old->expires_ms - since);
	c.flags &= KEPT_FLAGS;
	c.method = c.schedule = NULL;
	c.attempts = 0;
	c.cleared = false;
	c.outcome = (struct store_outcome)STORE_OUTCOME_INIT;
	return c;
}

/* ---- finding them ----------------------------------------------------- */

/* As the index commands_dead has it, and in this order; then what an agent
 * of foreign make calls failed is no business of ours. */
#define IS_DEAD                                                                \
	"WHERE ended = 1 AND cleared = 0 AND state IN ('refused', 'expired',"  \
	" 'dead', 'interrupted', 'failed') AND (state <> 'failed'"             \
	" OR reason IN ('no_handler', 'start_failed', 'lost'))"                \
	" AND seq < ?1 AND (?2 IS NULL OR agent = ?2)"                         \
	" AND (?3 IS NULL OR type = ?3) AND (?4 IS NULL OR reason = ?4)"
#define BY_INDEX "FROM commands INDEXED BY commands_dead "
#define WITH_PAYLOAD "digest, payload "
#define PAYLOADS "LEFT JOIN payloads USING (seq) "
/* flags: STORE_STDIN */
#define IS_SENDABLE " AND flags & 8 = 0 AND reason IS NOT 'checksum'"

static sqlite3_stmt *
statement(struct db *db, bool sendable, bool one)
{
	if (one && sendable)
		return db_sql(
		    db, "SELECT " ROW_FULL IS_DEAD IS_SENDABLE " AND id = ?5");
	if (one)
		return db_sql(db, "SELECT " ROW_BRIEF IS_DEAD " AND id = ?5");
	if (sendable) /* the oldest first: it is their order again */
		return db_sql(db,
		    "SELECT " ROW_COLUMNS WITH_PAYLOAD BY_INDEX PAYLOADS IS_DEAD
			IS_SENDABLE " ORDER BY seq");
	return db_sql(db, "SELECT " ROW_COLUMNS "NULL, NULL " BY_INDEX IS_DEAD
			  " ORDER BY seq DESC");
}

sqlite3_stmt *
dead_rows(struct db *db, const struct store_filter *f)
{
	sqlite3_stmt *q = statement(db, f->sendable, f->id != NULL);

	sqlite3_bind_int64(
	    q, 1, f->before_seq == 0 ? INT64_MAX : (int64_t)f->before_seq);
	db_bind(q, 2, f->agent);
	db_bind(q, 3, f->type);
	db_bind(q, 4, f->reason);
	if (f->id != NULL)
		db_bind(q, 5, f->id);
	return q;
}

bool
dead_check(struct store_command *c, struct err *err)
{
	char digest[STORE_DIGEST_SIZE];

	if (!store_digest(c, digest, err))
		return false;
	if (!str_eq(c->digest, digest)) {
		c->outcome.reason = "checksum";
		c->payload = "{}";
		c->payload_len = 2;
	}
	return true;
}

/* ---- seeing to them --------------------------------------------------- */

struct see {
	int64_t now_ms;
	char *asker; /* owned */
	store_seen_fn *fn;
	void *arg;
	size_t n;
	struct store_seen all[];
};

static bool
note_about(struct db *db, int64_t seq, int64_t at_ms, const char *what,
    const char *id, struct err *err)
{
	char note[NOTE_SIZE];

	snprintf(note, sizeof note, "%s%s%s", what, *id != '\0' ? " " : "", id);
	return row_note(db, seq, at_ms, note, err);
}

static bool
clear(struct db *db, const struct see *s, int64_t seq, const char *to,
    struct err *err)
{
	sqlite3_stmt *q =
	    db_sql(db, "UPDATE commands SET cleared = 1 WHERE seq = ?1");

	sqlite3_bind_int64(q, 1, seq);
	return db_step(q, err) &&
	       note_about(db, seq, s->now_ms,
		   *to != '\0' ? "requeued_as" : "dropped", to, err);
}

/* 'old' is lent by its statement, which is done with after this. */
static bool
renew(sqlite3 *h, struct db *db, const struct see *s, struct store_seen *x,
    const struct store_command *old, struct err *err)
{
	struct store_command c =
	    store_renew(old, x->to, x->seq, s->now_ms, s->asker);
	char digest[STORE_DIGEST_SIZE];

	return store_digest(&c, digest, err) &&
	       row_insert(h, db, &c, digest, &x->done, err) &&
	       (!x->done || note_about(db, (int64_t)c.seq, s->now_ms,
				"requeued_from", x->from, err));
}

static bool
is_damaged(const struct store_command *c)
{
	return str_eq(c->outcome.reason, "checksum");
}

static bool
see_one(sqlite3 *h, struct db *db, const struct see *s, struct store_seen *x,
    struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "SELECT " ROW_FULL "WHERE id = ?1 AND ended = 1 AND cleared = 0");
	struct store_command old;
	int64_t seq;
	int got;

	x->done = false;
	db_bind(q, 1, x->from);
	got = db_row(q, err);
	if (got != 1)
		return got == 0;
	row_read(q, &old);
	seq = (int64_t)old.seq;
	if (x->to[0] == '\0')
		x->done = true;
	else if (!dead_check(&old, err) ||
		 (!is_damaged(&old) && !renew(h, db, s, x, &old, err)))
		return false;
	sqlite3_reset(q);
	return !x->done || clear(db, s, seq, x->to, err);
}

static bool
see_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct see *s = arg;

	for (size_t i = 0; i < s->n; i++)
		if (!see_one(h, db, s, &s->all[i], err))
			return false;
	return true;
}

static void
seen(void *arg, const struct err *err)
{
	struct see *s = arg;

	s->fn(s->arg, s->all, s->n, err);
	free(s->asker);
	free(s);
}

bool
store_see(struct store *s, const struct store_seen *all, size_t n,
    int64_t now_ms, const char *asker, store_seen_fn *fn, void *arg,
    struct err *err)
{
	struct see *t = mem_alloc(sizeof *t + n * sizeof *all);

	t->now_ms = now_ms;
	t->asker = mem_dup(asker);
	t->fn = fn;
	t->arg = arg;
	t->n = n;
	memcpy(t->all, all, n * sizeof *all);
	if (!db_submit(s->db, DB_MAY, see_job, seen, t, err)) {
		free(t->asker);
		free(t);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (all[i].seq > s->last_seq)
			s->last_seq = all[i].seq;
	return true;
}
