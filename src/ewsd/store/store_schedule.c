/* Schedules: their rows, their firings, and what happened to them. */
#include <stdlib.h>
#include <string.h>

#include "ewsd/store/store_priv.h"
#include "lib/mem.h"

enum { LOG_LINES = 100 };

#define COLUMNS                                                                \
	"id, agent, type, request, cron, tz, late, paused, created_ms, "       \
	"next_ms, last_ms, last_command, fired, missed, asker"

static const char *
text_or(const char *text, const char *otherwise)
{
	return text != NULL ? text : otherwise;
}

static void
read_row(sqlite3_stmt *q, struct store_schedule *s)
{
	*s = (struct store_schedule){
		.id = text_or(db_text(q, 0), ""),
		.agent = text_or(db_text(q, 1), ""),
		.type = text_or(db_text(q, 2), ""),
		.request = text_or(db_text(q, 3), "{}"),
		.cron = text_or(db_text(q, 4), ""),
		.tz = text_or(db_text(q, 5), ""),
		.late_skip = strcmp(text_or(db_text(q, 6), ""), "skip") == 0,
		.paused = sqlite3_column_int(q, 7) != 0,
		.created_ms = sqlite3_column_int64(q, 8),
		.next_ms = sqlite3_column_int64(q, 9),
		.last_ms = sqlite3_column_int64(q, 10),
		.last_command = db_text(q, 11),
		.fired = (uint64_t)sqlite3_column_int64(q, 12),
		.missed = (uint64_t)sqlite3_column_int64(q, 13),
		.asker = db_text(q, 14),
	};
}

struct load {
	store_schedule_fn *fn;
	void *arg;
};

static bool
load_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct load *l = arg;
	sqlite3_stmt *q =
	    db_sql(db, "SELECT " COLUMNS " FROM schedules ORDER BY id");
	struct store_schedule s;
	int got;

	(void)h;
	while ((got = db_row(q, err)) == 1) {
		read_row(q, &s);
		l->fn(l->arg, &s);
	}
	return got == 0;
}

bool
store_load_schedules(
    struct store *s, store_schedule_fn *fn, void *arg, struct err *err)
{
	struct load l = { fn, arg };

	return db_now(s->db, load_job, &l, err);
}

/* ---- writing ---------------------------------------------------------- */

static bool
add_line(
    struct db *db, const char *id, const struct store_line *l, struct err *err)
{
	sqlite3_stmt *q =
	    db_sql(db, "INSERT INTO schedule_log VALUES (?1,"
		       " (SELECT coalesce(max(n), 0) + 1 FROM schedule_log"
		       " WHERE schedule = ?1), ?2, ?3, ?4)");

	db_bind(q, 1, id);
	sqlite3_bind_int64(q, 2, l->at_ms);
	db_bind(q, 3, l->what);
	db_bind(q, 4, l->text);
	if (!db_step(q, err))
		return false;
	q = db_sql(db, "DELETE FROM schedule_log WHERE schedule = ?1 AND n <="
		       " (SELECT max(n) FROM schedule_log WHERE schedule = ?1)"
		       " - ?2");
	db_bind(q, 1, id);
	sqlite3_bind_int(q, 2, LOG_LINES);
	return db_step(q, err);
}

static bool
insert_row(struct db *db, const struct store_schedule *s, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "INSERT INTO schedules (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5,"
	    " ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)");

	db_bind(q, 1, s->id);
	db_bind(q, 2, s->agent);
	db_bind(q, 3, s->type);
	db_bind(q, 4, s->request);
	db_bind(q, 5, s->cron);
	db_bind(q, 6, s->tz);
	db_bind(q, 7, s->late_skip ? "skip" : "run");
	sqlite3_bind_int(q, 8, s->paused);
	sqlite3_bind_int64(q, 9, s->created_ms);
	sqlite3_bind_int64(q, 10, s->next_ms);
	sqlite3_bind_int64(q, 11, s->last_ms);
	db_bind(q, 12, s->last_command);
	sqlite3_bind_int64(q, 13, (int64_t)s->fired);
	sqlite3_bind_int64(q, 14, (int64_t)s->missed);
	db_bind(q, 15, s->asker);
	return db_step(q, err);
}

static bool
update_row(struct db *db, const struct store_schedule *s, struct err *err)
{
	sqlite3_stmt *q = db_sql(db,
	    "UPDATE schedules SET paused = ?2, next_ms = ?3, missed = ?4"
	    " WHERE id = ?1");

	db_bind(q, 1, s->id);
	sqlite3_bind_int(q, 2, s->paused);
	sqlite3_bind_int64(q, 3, s->next_ms);
	sqlite3_bind_int64(q, 4, (int64_t)s->missed);
	return db_step(q, err);
}

static bool
delete_rows(struct db *db, const char *id, struct err *err)
{
	sqlite3_stmt *q =
	    db_sql(db, "DELETE FROM schedule_log WHERE schedule = ?1");

	db_bind(q, 1, id);
	if (!db_step(q, err))
		return false;
	q = db_sql(db, "DELETE FROM schedules WHERE id = ?1");
	db_bind(q, 1, id);
	return db_step(q, err);
}

struct change {
	struct store_schedule row; /* of a drop only the id */
	struct store_line line;
	store_done_fn *fn;
	void *arg;
	void *texts;
};

static bool
add_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;

	(void)h;
	return insert_row(db, &c->row, err) &&
	       add_line(db, c->row.id, &c->line, err);
}

static bool
set_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;

	if (!update_row(db, &c->row, err))
		return false;
	return sqlite3_changes(h) == 0 || c->line.what == NULL ||
	       add_line(db, c->row.id, &c->line, err);
}

static bool
drop_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;

	(void)h;
	return delete_rows(db, c->row.id, err);
}

static void
changed(void *arg, const struct err *err)
{
	struct change *c = arg;

	if (c->fn != NULL)
		c->fn(c->arg, err);
	free(c->texts);
	free(c);
}

static void *
keep(struct store_schedule *row, struct store_line *line, struct err *err)
{
	const struct db_lent lent[] = {
		{ &row->id, 0 },
		{ &row->agent, 0 },
		{ &row->type, 0 },
		{ &row->request, 0 },
		{ &row->cron, 0 },
		{ &row->tz, 0 },
		{ &row->asker, 0 },
		{ &row->last_command, 0 },
		{ &line->what, 0 },
		{ &line->text, 0 },
	};

	return db_keep(lent, sizeof lent / sizeof *lent, err);
}

/* 'c' is the caller's template; its texts are copied. */
static bool
submit(struct store *s, const struct change *template, db_job_fn *job,
    struct err *err)
{
	struct change *c = mem_alloc(sizeof *c);

	*c = *template;
	c->texts = keep(&c->row, &c->line, err);
	if (c->texts != NULL &&
	    db_submit(
		s->db, c->fn != NULL ? DB_MAY : DB_MUST, job, changed, c, err))
		return true;
	free(c->texts);
	free(c);
	return false;
}

bool
store_schedule_add(struct store *s, const struct store_schedule *row,
    const struct store_line *line, store_done_fn *done, void *arg,
    struct err *err)
{
	struct change c = { *row, *line, done, arg, NULL };

	return submit(s, &c, add_job, err);
}

bool
store_schedule_set(struct store *s, const struct store_schedule *row,
    const struct store_line *line, store_done_fn *done, void *arg,
    struct err *err)
{
	struct change c = { *row, *line, done, arg, NULL };

	return submit(s, &c, set_job, err);
}

bool
store_schedule_drop(struct store *s, const char *id, store_done_fn *done,
    void *arg, struct err *err)
{
	struct change c = { { .id = id }, { 0 }, done, arg, NULL };

	return submit(s, &c, drop_job, err);
}

/* ---- firing ----------------------------------------------------------- */

struct firing {
	struct store_schedule after;
	struct store_line line;
	void *texts;
};

struct firing *
firing_new(const struct store_firing *how, int64_t at_ms, struct err *err)
{
	struct firing *f = mem_alloc(sizeof *f);

	f->after = *how->after;
	f->line = (struct store_line){ at_ms, "fired", how->text };
	f->texts = keep(&f->after, &f->line, err);
	if (f->texts != NULL)
		return f;
	free(f);
	return NULL;
}

void
firing_free(struct firing *f)
{
	if (f == NULL)
		return;
	free(f->texts);
	free(f);
}

bool
firing_write(struct db *db, const struct firing *f, enum store_accepted how,
    struct err *err)
{
	const struct store_schedule *s = &f->after;
	struct store_line line = f->line;
	sqlite3_stmt *q = db_sql(db,
	    "UPDATE schedules SET next_ms = ?2, last_ms = ?3,"
	    " last_command = ?4, fired = ?5, missed = ?6 WHERE id = ?1");

	db_bind(q, 1, s->id);
	sqlite3_bind_int64(q, 2, s->next_ms);
	sqlite3_bind_int64(q, 3, s->last_ms);
	db_bind(q, 4, s->last_command);
	sqlite3_bind_int64(q, 5, (int64_t)s->fired - (how != STORE_NEW));
	sqlite3_bind_int64(q, 6, (int64_t)s->missed + (how == STORE_CONFLICT));
	if (!db_step(q, err))
		return false;
	if (how == STORE_CONFLICT)
		line = (struct store_line){ line.at_ms, "missed",
			"a command of that id exists with another content" };
	return how == STORE_DUPLICATE || add_line(db, s->id, &line, err);
}

/* ---- reading its history ---------------------------------------------- */

struct lines {
	char *id;
	store_lines_fn *fn;
	void *arg;
	struct store_line lines[LOG_LINES];
	void *texts[LOG_LINES];
	size_t n;
};

static void
forget_lines(struct lines *l)
{
	while (l->n > 0)
		free(l->texts[--l->n]);
}

static bool
lines_job(sqlite3 *h, struct db *db, void *arg, struct err *err)
{
	struct lines *l = arg;
	sqlite3_stmt *q =
	    db_sql(db, "SELECT at_ms, what, text FROM schedule_log"
		       " WHERE schedule = ?1 ORDER BY n LIMIT ?2");
	int got = 0;

	(void)h;
	forget_lines(l);
	db_bind(q, 1, l->id);
	sqlite3_bind_int(q, 2, LOG_LINES);
	while (l->n < LOG_LINES && (got = db_row(q, err)) == 1) {
		struct store_line *to = &l->lines[l->n];
		const struct db_lent lent[] = { { &to->what, 0 },
			{ &to->text, 0 } };

		*to = (struct store_line){ sqlite3_column_int64(q, 0),
			db_text(q, 1), db_text(q, 2) };
		l->texts[l->n] = db_keep(lent, 2, err);
		if (l->texts[l->n] == NULL)
			return false;
		l->n++;
	}
	return got != -1;
}

static void
lines_free(struct lines *l)
{
	forget_lines(l);
	free(l->id);
	free(l);
}

static void
got_lines(void *arg, const struct err *err)
{
	struct lines *l = arg;

	l->fn(l->arg, l->lines, err == NULL ? l->n : 0, err);
	lines_free(l);
}

bool
store_schedule_log(struct store *s, const char *id, store_lines_fn *fn,
    void *arg, struct err *err)
{
	struct lines *l = mem_alloc(sizeof *l);

	l->id = mem_dup(id);
	l->fn = fn;
	l->arg = arg;
	if (db_submit(s->db, DB_MAY, lines_job, got_lines, l, err))
		return true;
	lines_free(l);
	return false;
}
