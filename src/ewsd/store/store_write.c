#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store_priv.h"
#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/str.h"

/* NULL in SQL, so that coalesce keeps what was there. */
static void
bind_known(sqlite3_stmt *q, int nth, int64_t value, bool known)
{
	if (known)
		sqlite3_bind_int64(q, nth, value);
}

struct line {
	int64_t seq, n, at_ms; /* n 0: the next */
	const char *state, *method, *note;
};

static bool
add_line(struct db *db, const struct line *l, struct err *err)
{
	sqlite3_stmt *q =
	    db_sql(db, "INSERT INTO history VALUES (?1, coalesce(?2,"
		       " (SELECT max(n) + 1 FROM history WHERE seq = ?1), 1),"
		       " ?3, ?4, ?5, ?6)");

	sqlite3_bind_int64(q, 1, l->seq);
	bind_known(q, 2, l->n, l->n != 0);
	sqlite3_bind_int64(q, 3, l->at_ms);
	db_bind(q, 4, l->state);
	db_bind(q, 5, l->method);
	db_bind(q, 6, l->note);
	return db_step(q, err);
}

/* ---- accepting -------------------------------------------------------- */

struct accept {
	store_accept_fn *fn;
	void *arg;
	struct store_command cmd, existing; /* owned */
	struct firing *firing; /* owned; or NULL */
	enum store_accepted verdict;
};

static bool
insert_command(struct db *db, const struct store_command *c, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "INSERT INTO commands (seq, id, agent, type, state, ended,"
	    " priority, flags, attempts, created_ms, updated_ms,"
	    " deadline_ms, asker, argv, run_at_ms, expires_ms, schedule,"
	    " late_ms)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?9, ?10,"
	    " ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT (id) DO NOTHING");

	sqlite3_bind_int64(q, 1, (int64_t)c->seq);
	db_bind(q, 2, c->id);
	db_bind(q, 3, c->agent);
	db_bind(q, 4, c->type);
	db_bind(q, 5, state_word(c->state));
	sqlite3_bind_int(q, 6, state_is_end(c->state));
	sqlite3_bind_int(q, 7, c->priority);
	sqlite3_bind_int64(q, 8, c->flags);
	sqlite3_bind_int64(q, 9, c->created_ms);
	sqlite3_bind_int64(q, 10, c->deadline_ms);
	db_bind(q, 11, c->asker);
	db_bind(q, 12, c->argv);
	sqlite3_bind_int64(q, 13, c->run_at_ms);
	sqlite3_bind_int64(q, 14, c->expires_ms);
	db_bind(q, 15, c->schedule);
	sqlite3_bind_int64(q, 16, c->late_ms);
	return db_step(q, err);
}

static bool
insert_payload(struct db *db, const struct store_command *c, const char *digest,
    struct err *err)
{
	sqlite3_stmt *q =
	    db_sql(db, "INSERT INTO payloads VALUES (?1, ?2, ?3)");

	sqlite3_bind_int64(q, 1, (int64_t)c->seq);
	db_bind(q, 2, digest);
	sqlite3_bind_text64(
	    q, 3, c->payload, c->payload_len, SQLITE_STATIC, SQLITE_UTF8);
	return db_step(q, err);
}

bool
row_insert(sqlite3 *h, struct db *db, const struct store_command *c,
    const char *digest, bool *made, struct err *err)
{
	if (!insert_command(db, c, err))
		return false;
	*made = sqlite3_changes(h) != 0;
	return !*made || (insert_payload(db, c, digest, err) &&
			     add_line(db,
				 &(struct line){ .seq = (int64_t)c->seq,
				     .n = 1,
				     .at_ms = c->created_ms,
				     .state = state_word(c->state),
				     .method = c->method },
				 err));
}

static bool
compare(struct db *db, struct accept *a, const char *digest, struct err *err)
{
	sqlite3_stmt *q = db_sql(db, "SELECT " ROW_FULL "WHERE id = ?1");
	struct store_command c;
	int got;

	db_bind(q, 1, a->cmd.id);
	got = db_row(q, err);
	if (got != 1)
		return false;
	row_read(q, &c);
	a->verdict =
	    str_eq(c.digest, digest) ? STORE_DUPLICATE : STORE_CONFLICT;
	return row_copy(&a->existing, &c, err);
}

static bool
accept_it(sqlite3 *h, struct db *db, struct accept *a, struct err *err)
{
	const struct store_command *c = &a->cmd;
	char digest[STORE_DIGEST_SIZE];
	bool made;

	row_free(&a->existing);
	a->verdict = STORE_NEW;
	if (!store_digest(c, digest, err) ||
	    !row_insert(h, db, c, digest, &made, err))
		return false;
	return made || compare(db, a, digest, err);
}

static bool
accept_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct accept *a = arg;

	return accept_it(h, db, a, err) &&
	       (a->firing == NULL ||
		   firing_write(db, a->firing, a->verdict, err));
}

static void
accepted(void *arg, const struct err *err)
{
	struct accept *a = arg;
	bool known = err == NULL && a->verdict != STORE_NEW;

	a->fn(a->arg, a->verdict, known ? &a->existing : NULL, err);
	row_free(&a->cmd);
	row_free(&a->existing);
	firing_free(a->firing);
	free(a);
}

/* Takes 'firing'. */
static bool
submit_accept(struct store *s, const struct store_command *cmd,
    struct firing *firing, store_accept_fn *fn, void *arg, struct err *err)
{
	struct accept *a = mem_alloc(sizeof *a);
	struct store_command c = *cmd;

	a->fn = fn;
	a->arg = arg;
	a->firing = firing;
	if (c.payload == NULL || c.payload_len == 0) {
		c.payload = "{}";
		c.payload_len = 2;
	}
	if (c.seq == 0)
		c.seq = s->last_seq + 1;
	if (!row_copy(&a->cmd, &c, err) ||
	    !db_submit(s->db, DB_MAY, accept_job, accepted, a, err)) {
		row_free(&a->cmd);
		firing_free(firing);
		free(a);
		return false;
	}
	if (c.seq > s->last_seq)
		s->last_seq = c.seq;
	return true;
}

bool
store_accept(struct store *s, const struct store_command *cmd,
    store_accept_fn *fn, void *arg, struct err *err)
{
	return submit_accept(s, cmd, NULL, fn, arg, err);
}

bool
store_fire(struct store *s, const struct store_command *cmd,
    const struct store_firing *how, store_accept_fn *fn, void *arg,
    struct err *err)
{
	struct firing *f = firing_new(how, cmd->created_ms, err);

	return f != NULL && submit_accept(s, cmd, f, fn, arg, err);
}

/* ---- steps and notes -------------------------------------------------- */

struct step {
	const char *id;
	struct store_step step;
	struct store_outcome outcome;
	struct store_kept kept;
	bool is_note;
	store_done_fn *fn;
	void *arg;
	void *texts;
};

static void
bind_outcome(sqlite3_stmt *q, int nth, const struct store_outcome *o)
{
	bool code = o->exit_code >= 0;

	bind_known(q, nth, o->exit_code, code);
	bind_known(q, nth + 1, o->signal, code || o->signal > 0);
	bind_known(q, nth + 2, o->duration_ms, o->duration_ms >= 0);
	bind_known(q, nth + 3, o->stdout_bytes, o->stdout_bytes >= 0);
	bind_known(q, nth + 4, o->stderr_bytes, o->stderr_bytes >= 0);
	db_bind(q, nth + 5, o->reason);
	db_bind(q, nth + 6, o->error);
	db_bind(q, nth + 7, o->detail);
}

static bool
update_command(
    struct db *db, const struct step *t, int64_t seq, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "UPDATE commands SET state = ?2, ended = ?3, updated_ms = ?4,"
	    " method = coalesce(?5, method), attempts = attempts + ?6,"
	    " exit_code = coalesce(?7, exit_code),"
	    " signal = coalesce(?8, signal),"
	    " duration_ms = coalesce(?9, duration_ms),"
	    " stdout_bytes = coalesce(?10, stdout_bytes),"
	    " stderr_bytes = coalesce(?11, stderr_bytes),"
	    " reason = coalesce(?12, reason), error = coalesce(?13, error),"
	    " detail = coalesce(?14, detail),"
	    " late_ms = coalesce(?15, late_ms) WHERE seq = ?1");

	sqlite3_bind_int64(q, 1, seq);
	db_bind(q, 2, state_word(t->step.state));
	sqlite3_bind_int(q, 3, state_is_end(t->step.state));
	sqlite3_bind_int64(q, 4, t->step.at_ms);
	db_bind(q, 5, t->step.method);
	sqlite3_bind_int(q, 6, t->step.attempt - t->step.turned_down);
	bind_outcome(q, 7, &t->outcome);
	bind_known(q, 15, t->step.late_ms, t->step.late_ms != 0);
	return db_step(q, err);
}

/* The command's seq and the lines its history has; false with err. */
static bool
look_up(struct db *db, const char *id, int64_t *seq, int64_t *lines,
    struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "SELECT seq, (SELECT max(n) FROM history"
	    " WHERE history.seq = commands.seq) FROM commands WHERE id = ?1");
	int got;

	db_bind(q, 1, id);
	got = db_row(q, err);
	if (got == 0)
		err_set(err, EXIT_NEGATIVE, "command_unknown",
		    "no command of that id");
	if (got != 1)
		return false;
	*seq = sqlite3_column_int64(q, 0);
	*lines = sqlite3_column_int64(q, 1);
	sqlite3_reset(q);
	return true;
}

/* A flapping agent may go through the same steps for ever. */
static bool
is_too_long(const struct step *t, int64_t lines)
{
	bool end = !t->is_note && state_is_end(t->step.state);

	return lines >= (end ? ENDS_MAX : HISTORY_MAX);
}

static bool
step_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct step *t = arg;
	struct line line = {
		.at_ms = t->step.at_ms,
		.state = t->is_note ? NULL : state_word(t->step.state),
		.method = t->step.method,
		.note = t->step.note,
	};

	(void)h;
	if (!look_up(db, t->id, &line.seq, &line.n, err))
		return false;
	if (!t->is_note && (!update_command(db, t, line.seq, err) ||
			       !output_write(db, line.seq, &t->kept, err)))
		return false;
	if (is_too_long(t, line.n))
		return true;
	if (t->step.stored_ms != 0 &&
	    !row_note(db, line.seq, t->step.stored_ms, "on disk", err))
		return false;
	line.n += 1 + (t->step.stored_ms != 0);
	return add_line(db, &line, err);
}

static void
stepped(void *arg, const struct err *err)
{
	struct step *t = arg;

	if (t->fn != NULL)
		t->fn(t->arg, err);
	free(t->texts);
	free(t);
}

/* 't' is the caller's template; its texts are copied. */
static bool
submit_step(struct store *s, const struct step *template)
{
	struct step *t = mem_alloc(sizeof *t);
	const struct db_lent lent[] = {
		{ &t->id, 0 },
		{ &t->step.method, 0 },
		{ &t->step.note, 0 },
		{ &t->outcome.reason, 0 },
		{ &t->outcome.error, 0 },
		{ &t->outcome.detail, 0 },
		{ &t->kept.streams[0].bytes, template->kept.streams[0].len },
		{ &t->kept.streams[1].bytes, template->kept.streams[1].len },
	};

	*t = *template;
	t->texts = db_keep(lent, sizeof lent / sizeof *lent, NULL);
	if (t->texts != NULL &&
	    db_submit(s->db, t->step.lazy ? DB_LAZY : DB_MUST, step_job,
		stepped, t, NULL))
		return true;
	free(t->texts);
	free(t);
	return false;
}

bool
store_step(struct store *s, const char *id, const struct store_step *step,
    store_done_fn *fn, void *arg)
{
	struct step t = {
		.id = id,
		.step = *step,
		.outcome = STORE_OUTCOME_INIT,
		.fn = fn,
		.arg = arg,
	};

	if (step->outcome != NULL)
		t.outcome = *step->outcome;
	if (step->kept != NULL)
		t.kept = *step->kept;
	t.step.outcome = NULL;
	t.step.kept = NULL;
	return submit_step(s, &t);
}

bool
store_note(struct store *s, const char *id, int64_t at_ms, const char *note)
{
	return submit_step(s, &(struct step){
				  .id = id,
				  .step = { .at_ms = at_ms, .note = note },
				  .outcome = STORE_OUTCOME_INIT,
				  .is_note = true,
			      });
}
