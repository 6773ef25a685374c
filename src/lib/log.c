#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/log_priv.h"
#include "lib/str.h"

/* A line is at most PIPE_BUF of Linux, so that a pipe takes it whole. */
enum { MESSAGE_MAX = 1536, LINE_MAX_ = 4096, N_QUOTED = 4 };

static const char *const words[] = { "error", "warn", "info", "debug" };

static struct {
	struct clock *clock;
	int fd;
	enum log_level level;
	bool json;
	unsigned long dropped;
	char program[32];
} to = { &clock_system, 2, LOG_INFO, false, 0, "" };

void
log_init(const char *program, struct clock *clock, int fd)
{
	str_copy(to.program, sizeof to.program, program);
	to.clock = clock;
	to.fd = fd;
}

void
log_set_level(enum log_level level)
{
	to.level = level;
}

void
log_set_json(bool json)
{
	to.json = json;
}

bool
log_level_from(const char *word, enum log_level *level)
{
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq(word, words[i])) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

bool
log_wanted(enum log_level level)
{
	return level <= to.level;
}

int64_t
log_now(void)
{
	return clock_mono(to.clock);
}

unsigned long
log_dropped(void)
{
	return to.dropped;
}

/* One write: lines of several processes on one pipe stay whole. */
static void
put(const char *line, size_t len)
{
	ssize_t n;

	do
		n = write(to.fd, line, len);
	while (n == -1 && errno == EINTR);
	if (n != (ssize_t)len)
		to.dropped++;
}

static void
put_text(const char *time, const char *word, const char *message)
{
	char line[LINE_MAX_];
	int len =
	    snprintf(line, sizeof line, "%s %s %s\n", time, word, message);

	if (len > 0 && (size_t)len < sizeof line)
		put(line, (size_t)len);
}

static void
put_json(const char *time, const char *word, const char *message)
{
	struct buf b;

	buf_init(&b, LINE_MAX_);
	buf_printf(
	    &b, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time, word);
	buf_json(&b, message, strlen(message));
	buf_text(&b, "}\n");
	if (b.failed)
		to.dropped++;
	else
		put(b.bytes, b.len);
	buf_fini(&b);
}

/* 'errno' survives, so that a caller may log first and look later. */
void
log_line(enum log_level level, const char *fmt, va_list ap)
{
	char raw[MESSAGE_MAX], message[MESSAGE_MAX], time[CLOCK_TEXT_SIZE];
	int saved = errno;

	vsnprintf(raw, sizeof raw, fmt, ap);
	str_escape(message, sizeof message, raw, strlen(raw));
	clock_text(time, clock_wall(to.clock));
	(to.json ? put_json : put_text)(time, words[level], message);
	errno = saved;
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	log_settle(false);
	if (!log_wanted(level))
		return;
	va_start(ap, fmt);
	log_line(level, fmt, ap);
	va_end(ap);
}

const char *
log_q(const char *text)
{
	return text == NULL ? "(none)" : log_qn(text, strlen(text));
}

const char *
log_qn(const char *bytes, size_t len)
{
	static _Thread_local char texts[N_QUOTED][LOG_ARG_MAX + 1];
	static _Thread_local unsigned next;

	return str_escape(
	    texts[next++ % N_QUOTED], LOG_ARG_MAX + 1, bytes, len);
}
