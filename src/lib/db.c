#include "lib/db.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/db_priv.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/port.h"

/* ---- the writer ------------------------------------------------------- */

static int64_t
ms_until(int64_t us)
{
	int64_t left = us - db_mono_us();

	return left > 0 ? left / 1000 + 1 : 0;
}

static void
sleep_writer(struct db *d)
{
	struct pollfd p = { .fd = d->kick[0], .events = POLLIN };
	int64_t wait = -1;
	char byte;

	if (d->fresh != NULL)
		wait = ms_until(d->due_us);
	if (d->failing && (wait < 0 || ms_until(d->retry_at_ms * 1000) < wait))
		wait = ms_until(d->retry_at_ms * 1000);
	d->sleeping = true;
	pthread_mutex_unlock(&d->lock);
	if (poll(&p, 1, (int)wait) == 1)
		(void)!read(d->kick[0], &byte, 1);
	pthread_mutex_lock(&d->lock);
	d->sleeping = false;
}

/* A pipe and not a condition: poll's time-outs do not move with the wall
 * clock on either system. Under the lock. */
static void
kick_writer(struct db *d)
{
	if (d->sleeping) {
		d->sleeping = false;
		(void)!write(d->kick[1], "", 1);
	}
}

static bool
ready(const struct db *d)
{
	if (d->stop || d->urgent)
		return true;
	if (d->fresh != NULL && db_mono_us() >= d->due_us)
		return true;
	return d->failing && (d->hurry || db_retry_due(d));
}

/* Waits for work; false when there will be none. 'last': what the disk does
 * not take now is given up. */
static bool
take(struct db *d, bool *last)
{
	bool more;

	pthread_mutex_lock(&d->lock);
	while (!ready(d))
		sleep_writer(d);
	more = !d->stop || d->fresh != NULL || d->kept != NULL;
	for (size_t n = 0; d->fresh != NULL && n < DB_BATCH_MAX; n++) {
		struct db_job *j = d->fresh;

		DL_DELETE(d->fresh, j);
		DL_APPEND(d->batch, j);
	}
	d->urgent = d->fresh != NULL;
	*last = d->stop && d->fresh == NULL;
	if (d->hurry || *last)
		d->retry_at_ms = 0;
	d->hurry = false;
	pthread_mutex_unlock(&d->lock);
	return more;
}

static void
count(struct db *d, const struct db_round *r)
{
	struct db_stats *s = &d->stats;

	s->failures += r->attempted && d->failing;
	s->reopened += r->reopened;
	s->failing = d->failing;
	d->attempts += r->attempted;
	if (r->wrote) {
		s->commits++;
		s->sync_us_last = r->sync_us;
		if (r->sync_us > s->sync_us_max)
			s->sync_us_max = r->sync_us;
	}
}

static void
settle(struct db *d, struct db_round *r)
{
	struct db_job *j;
	size_t n = 0;
	bool news;

	pthread_mutex_lock(&d->lock);
	news = d->finished == NULL && r->out != NULL;
	news = news || d->stats.failing != d->failing;
	DL_COUNT(r->out, j, n);
	DL_CONCAT(d->finished, r->out);
	d->stats.waiting -= n;
	d->stats.jobs += n;
	DL_COUNT(d->kept, j, d->nkept);
	if (d->failing)
		memcpy(d->failure, d->cause.text, sizeof d->failure);
	count(d, r);
	pthread_cond_broadcast(&d->settled);
	pthread_mutex_unlock(&d->lock);
	if (news && d->wake != NULL)
		d->wake(d->arg);
}

static void *
work(void *arg)
{
	struct db *d = arg;
	bool last;

	db_here = &d->writer;
	while (take(d, &last)) {
		struct db_round round = { 0 };

		db_batch_run(d, &round, last);
		settle(d, &round);
	}
	return NULL;
}

/* ---- the outside ------------------------------------------------------ */

static void
init(struct db *d, const struct db_config *cfg)
{
	d->path = mem_dup(cfg->path);
	d->application_id = cfg->application_id;
	d->migrations = cfg->migrations;
	while (d->migrations[d->version] != NULL)
		d->version++;
	d->retry_ms = cfg->retry_ms > 0 ? cfg->retry_ms : 1000;
	d->max_jobs = cfg->max_jobs;
	d->wake = cfg->wake;
	d->arg = cfg->arg;
	d->lock_fd = d->kick[0] = d->kick[1] = -1;
	d->keeper.db = d->writer.db = d;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->settled, NULL);
}

static void
fini(struct db *d)
{
	struct db_job *j, *next;

	DL_FOREACH_SAFE (d->spare, j, next)
		free(j);
	db_file_close(d);
	for (int i = 0; i < 2; i++) {
		if (d->kick[i] != -1)
			close(d->kick[i]);
	}
	pthread_cond_destroy(&d->settled);
	pthread_mutex_destroy(&d->lock);
	free(d->path);
	free(d);
}

struct db *
db_open(const struct db_config *cfg, struct err *err)
{
	struct db *d = mem_alloc(sizeof *d);

	init(d, cfg);
	if (!db_file_open(d, err)) {
		fini(d);
		return NULL;
	}
	if (port_pipe(d->kick) == -1 ||
	    pthread_create(&d->thread, NULL, work, d) != 0) {
		err_set(err, EXIT_RETRY, "too_many",
		    "no thread or pipe to be had for %s", d->path);
		fini(d);
		return NULL;
	}
	return d;
}

void
db_close(struct db *d)
{
	db_flush(d);
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	kick_writer(d);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	db_drain(d);
	fini(d);
}

static struct db_job *
new_job(struct db *d)
{
	struct db_job *j = d->spare;

	if (j == NULL)
		return mem_alloc(sizeof *j);
	DL_DELETE(d->spare, j);
	return j;
}

static void
enqueue(struct db *d, struct db_job *j)
{
	bool first = d->fresh == NULL;

	if (first)
		d->due_us = db_mono_us() + DB_LAZY_MS * 1000;
	d->urgent = d->urgent || j->flag != DB_LAZY;
	DL_APPEND(d->fresh, j);
	d->stats.waiting++;
	if (first || d->urgent)
		kick_writer(d);
}

bool
db_submit(struct db *d, enum db_flag flag, db_job_fn *fn, db_done_fn *done,
    void *arg, struct err *err)
{
	size_t max = flag != DB_MAY ? 4 * d->max_jobs : d->max_jobs;
	struct db_job *j = NULL;

	pthread_mutex_lock(&d->lock);
	if (!d->stop && d->stats.waiting < max) {
		j = new_job(d);
		*j = (struct db_job){ NULL, NULL, fn, done, arg, NULL, flag };
		enqueue(d, j);
	}
	pthread_mutex_unlock(&d->lock);
	if (j == NULL)
		err_set(err, EXIT_RETRY, "queue_full",
		    "%zu writes wait for the disk already", max);
	return j != NULL;
}

static void
tell(struct db *d, bool failing, const char *why)
{
	if (failing == d->told)
		return;
	d->told = failing;
	if (failing)
		log_error(
		    "%s; nothing new is accepted until the disk takes it; "
		    "trying again every %d ms",
		    why, d->retry_ms);
	else
		log_info("%s: the disk takes writes again", d->path);
}

void
db_drain(struct db *d)
{
	struct db_job *done, *j, *next;
	char why[ERR_TEXT_MAX];
	bool failing;

	pthread_mutex_lock(&d->lock);
	done = d->finished;
	d->finished = NULL;
	failing = d->stats.failing;
	memcpy(why, d->failure, sizeof why);
	pthread_mutex_unlock(&d->lock);
	tell(d, failing, why);
	DL_FOREACH_SAFE (done, j, next) {
		if (j->done != NULL)
			j->done(j->arg, j->err);
		free(j->err);
	}
	pthread_mutex_lock(&d->lock);
	DL_CONCAT(d->spare, done);
	pthread_mutex_unlock(&d->lock);
}

void
db_flush(struct db *d)
{
	uint64_t before;

	pthread_mutex_lock(&d->lock);
	before = d->attempts;
	d->hurry = d->stats.failing;
	d->urgent = d->fresh != NULL;
	kick_writer(d);
	while (d->stats.waiting > d->nkept ||
	       (d->nkept > 0 && d->attempts == before))
		pthread_cond_wait(&d->settled, &d->lock);
	pthread_mutex_unlock(&d->lock);
	db_drain(d);
}

bool
db_now(struct db *d, db_job_fn *fn, void *arg, struct err *err)
{
	struct db_conn *outer = db_here;
	bool ok;

	db_here = &d->keeper;
	d->keeper.rc = 0;
	ok = db_exec(&d->keeper, "BEGIN", err);
	ok = ok && fn(d->keeper.handle, d, arg, err);
	db_conn_rest(&d->keeper);
	sqlite3_exec(d->keeper.handle, "COMMIT", NULL, NULL, NULL);
	db_here = outer;
	return ok;
}

void
db_stats(struct db *d, struct db_stats *out)
{
	pthread_mutex_lock(&d->lock);
	*out = d->stats;
	pthread_mutex_unlock(&d->lock);
}
