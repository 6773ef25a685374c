#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/log.h"
#include "lib/log_priv.h"
#include "lib/str.h"

/*
 * A fixed table: a stranger with many addresses cannot make it grow. Two
 * sources in one slot share its budget, and the key of the hash keeps a
 * stranger from choosing whose. So at most N_SLOTS * BURST lines a second.
 */
enum { N_SLOTS = 64, BURST = 10, WINDOW_MS = 1000 };

static struct slot {
	char source[64];
	bool shared; /* by another source within this second */
	enum log_level level; /* the most urgent that was held back */
	int64_t until; /* monotonic ms; the second that is counted */
	unsigned passed, held;
} slots[N_SLOTS];

static unsigned n_holding; /* slots with held > 0 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((format(printf, 2, 3))) static void
say(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(level, fmt, ap);
	va_end(ap);
}

static void
settle(struct slot *s)
{
	if (s->held == 0)
		return;
	say(s->level, "held back %u more line%s about %s%s", s->held,
	    s->held == 1 ? "" : "s", s->source, s->shared ? " and others" : "");
	s->held = 0;
	n_holding--;
}

static void
settle_all(int64_t now, bool all)
{
	size_t i;

	for (i = 0; i < N_SLOTS && n_holding > 0; i++)
		if (all || now >= slots[i].until)
			settle(&slots[i]);
}

void
log_settle(bool all)
{
	pthread_mutex_lock(&lock);
	if (n_holding > 0)
		settle_all(log_now(), all);
	pthread_mutex_unlock(&lock);
}

static struct slot *
slot_for(const char *source, int64_t now)
{
	struct slot *s = &slots[hash_bytes(source, strlen(source)) % N_SLOTS];

	if (now >= s->until) {
		settle(s);
		*s = (struct slot){ .until = now + WINDOW_MS };
		str_copy(s->source, sizeof s->source, source);
	} else if (strncmp(s->source, source, sizeof s->source - 1) != 0) {
		s->shared = true;
	}
	return s;
}

static bool
may_pass(const char *source, enum log_level level)
{
	int64_t now = log_now();
	struct slot *s = slot_for(source, now);

	settle_all(now, false);
	if (s->passed < BURST) {
		s->passed++;
		return true;
	}
	if (s->held++ == 0) {
		n_holding++;
		s->level = level;
	} else if (level < s->level) {
		s->level = level;
	}
	return false;
}

void
log_limited(const char *source, enum log_level level, const char *fmt, ...)
{
	va_list ap;
	bool passes;

	if (!log_wanted(level))
		return;
	pthread_mutex_lock(&lock);
	passes = may_pass(source, level);
	pthread_mutex_unlock(&lock);
	if (!passes)
		return;
	va_start(ap, fmt);
	log_line(level, fmt, ap);
	va_end(ap);
}
