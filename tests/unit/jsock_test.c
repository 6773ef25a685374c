#include "net/jsock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "net/timer.h"
#include "scratch.h"

#include "check.h"

enum { GUARD_MS = 10000, LINE_MAX_ = 1000, LARGE = 200000 };

struct room;

struct caller {
	struct room *room;
	struct jsock_conn *conn;
	struct outq out;
};

struct room {
	struct loop *loop;
	struct jsock *sock;
	struct timer *guard;
	bool expired, refuse;
	unsigned opened, closed, lines, overlong;
	struct unix_peer peer;
	char last[LINE_MAX_ + 1];
	struct caller *newest;
	char path[600];
};

static const struct outq_config out_config = { .max_frames = 100000,
	.max_bytes = 64 << 20 };

static void
say(struct caller *c, const char *text, size_t len)
{
	struct frame *f = frame_text(text, len);

	assert_true(outq_put(&c->out, f, OUTQ_DATA, 0));
	frame_unref(f);
	jsock_want_write(c->conn);
}

static void *
on_open(void *arg, struct jsock_conn *conn, const struct unix_peer *peer)
{
	struct room *r = arg;
	struct caller *c;

	r->opened++;
	r->peer = *peer;
	if (r->refuse)
		return NULL;
	c = mem_alloc(sizeof *c);
	c->room = r;
	c->conn = conn;
	outq_init(&c->out, &out_config, c);
	jsock_set_outq(conn, &c->out);
	r->newest = c;
	return c;
}

static void
on_line(void *arg, char *text, size_t len)
{
	struct caller *c = arg;

	c->room->lines++;
	assert_int_equal(strlen(text), len);
	str_copy(c->room->last, sizeof c->room->last, text);
	if (str_starts(text, "echo "))
		say(c, text + 5, len - 5);
	if (str_eq(text, "bye")) {
		say(c, "so long", 7);
		jsock_close(c->conn);
	}
}

static void
on_overlong(void *arg)
{
	struct caller *c = arg;

	c->room->overlong++;
	say(c, "too long", 8);
}

static void
on_closed(void *arg)
{
	struct caller *c = arg;

	c->room->closed++;
	outq_fini(&c->out);
	free(c);
}

static const struct jsock_events events = { on_open, on_line, on_overlong,
	on_closed };

static void
on_guard(void *arg)
{
	((struct room *)arg)->expired = true;
}

static struct room *
room_new(struct scratch *s)
{
	struct room *r = mem_alloc(sizeof *r);
	struct jsock_config config = { .path = r->path,
		.mode = 0600,
		.group = (gid_t)-1,
		.max_line = LINE_MAX_,
		.max_conns = 3,
		.events = &events,
		.arg = r };
	struct err err = ERR_INIT;

	str_copy(r->path, sizeof r->path, scratch_path(s, "sock"));
	r->loop = loop_new();
	config.loop = r->loop;
	r->sock = jsock_listen(&config, &err);
	if (r->sock == NULL)
		fail_msg("%s", err.text);
	r->guard = timer_new(r->loop, on_guard, r);
	timer_set(r->guard, GUARD_MS);
	return r;
}

static void
room_free(struct room *r)
{
	timer_free(r->guard);
	jsock_free(r->sock);
	loop_free(r->loop);
	assert_int_equal(access(r->path, F_OK), -1);
	free(r);
}

static void
turn(struct room *r)
{
	uv_run(loop_uv(r->loop), UV_RUN_NOWAIT);
	poll(NULL, 0, 1);
	assert_false(r->expired);
}

#define WAIT(r, what)                                                          \
	do {                                                                   \
		while (!(what))                                                \
			turn(r);                                               \
	} while (0)

static int
call(struct room *r)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	str_copy(sun.sun_path, sizeof sun.sun_path, r->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
tell(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

/* All until the end of the stream, or until 'want' bytes are there. */
static char *
hear(struct room *r, int fd, size_t want)
{
	char *got = mem_alloc(LARGE + 100);
	size_t len = 0;

	while (len < want) {
		ssize_t n = recv(fd, got + len, LARGE + 99 - len, 0);

		if (n == 0 || (n == -1 && errno != EAGAIN))
			break;
		if (n > 0)
			len += (size_t)n;
		else
			turn(r);
	}
	return got;
}

static void
a_line_is_answered_with_a_line(void **state)
{
	struct room *r = room_new(*state);
	int fd = call(r);
	char *got;

	tell(fd, "echo {\"a\":1}\necho 2\n");
	got = hear(r, fd, 10);
	assert_string_equal(got, "{\"a\":1}\n2\n");
	assert_int_equal(r->peer.uid, getuid());
	assert_int_equal(jsock_count(r->sock), 1);
	free(got);
	close(fd);
	WAIT(r, r->closed == 1);
	assert_int_equal(jsock_count(r->sock), 0);
	room_free(r);
}

static void
a_large_answer_waits_for_its_reader(void **state)
{
	struct room *r = room_new(*state);
	int fd = call(r);
	char *text = mem_alloc(LARGE), *got;

	WAIT(r, r->opened == 1);
	memset(text, 'x', LARGE);
	say(r->newest, text, LARGE);
	say(r->newest, "end", 3);
	for (int i = 0; i < 10; i++)
		turn(r);
	got = hear(r, fd, LARGE + 5);
	assert_memory_equal(got, text, LARGE);
	assert_string_equal(got + LARGE, "\nend\n");
	free(got);
	free(text);
	close(fd);
	room_free(r);
}

static void
what_is_queued_leaves_before_the_end(void **state)
{
	struct room *r = room_new(*state);
	int fd = call(r);
	char *got;

	tell(fd, "bye\necho no more\n");
	got = hear(r, fd, SIZE_MAX);
	assert_string_equal(got, "so long\n");
	assert_int_equal(r->lines, 1);
	WAIT(r, r->closed == 1);
	free(got);
	close(fd);
	room_free(r);
}

static void
an_overlong_line_is_told_and_ends_it(void **state)
{
	struct room *r = room_new(*state);
	int fd = call(r);
	char text[LINE_MAX_ + 50], *got;

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	tell(fd, text);
	got = hear(r, fd, SIZE_MAX);
	assert_string_equal(got, "too long\n");
	assert_int_equal(r->overlong, 1);
	free(got);
	close(fd);
	room_free(r);
}

static void
one_too_many_is_told(void **state)
{
	struct room *r = room_new(*state);
	int fd[3], more;
	char *got;

	for (int i = 0; i < 3; i++)
		fd[i] = call(r);
	more = call(r);
	got = hear(r, more, SIZE_MAX);
	assert_non_null(strstr(got, "\"too_many\""));
	assert_int_equal(r->opened, 3);
	free(got);
	close(more);
	close(fd[0]);
	WAIT(r, r->closed == 1);
	more = call(r);
	WAIT(r, r->opened == 4);
	for (int i = 1; i < 3; i++)
		close(fd[i]);
	close(more);
	room_free(r);
}

static void
a_refused_caller_is_hung_up_on(void **state)
{
	struct room *r = room_new(*state);
	int fd = call(r);

	r->refuse = true;
	free(hear(r, fd, SIZE_MAX));
	WAIT(r, jsock_count(r->sock) == 0);
	assert_int_equal(r->closed, 0);
	close(fd);
	room_free(r);
}

static void
a_pause_holds_lines_back(void **state)
{
	struct room *r = room_new(*state);
	int fd = call(r);

	WAIT(r, r->opened == 1);
	jsock_pause(r->newest->conn, true);
	tell(fd, "one\n");
	for (int i = 0; i < 20; i++)
		turn(r);
	assert_int_equal(r->lines, 0);
	jsock_pause(r->newest->conn, false);
	WAIT(r, r->lines == 1);
	close(fd);
	room_free(r);
}

static void
who_only_stopped_sending_is_still_answered(void **state)
{
	struct room *r = room_new(*state);
	int fd = call(r);
	char *got;

	tell(fd, "hello\n");
	shutdown(fd, SHUT_WR);
	WAIT(r, r->lines == 1);
	for (int i = 0; i < 20; i++)
		turn(r);
	assert_int_equal(r->closed, 0);
	say(r->newest, "late", 4);
	got = hear(r, fd, 5);
	assert_string_equal(got, "late\n");
	free(got);
	close(fd);
	WAIT(r, r->closed == 1);
	room_free(r);
}

static void
a_stopped_listener_leaves_its_callers(void **state)
{
	struct room *r = room_new(*state);
	int fd = call(r);
	char *got;

	WAIT(r, r->opened == 1);
	jsock_stop(r->sock);
	assert_int_equal(access(r->path, F_OK), -1);
	tell(fd, "echo on\n");
	got = hear(r, fd, 3);
	assert_string_equal(got, "on\n");
	free(got);
	room_free(r);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_line_is_answered_with_a_line),
		SCRATCH_TEST(a_large_answer_waits_for_its_reader),
		SCRATCH_TEST(what_is_queued_leaves_before_the_end),
		SCRATCH_TEST(an_overlong_line_is_told_and_ends_it),
		SCRATCH_TEST(one_too_many_is_told),
		SCRATCH_TEST(a_refused_caller_is_hung_up_on),
		SCRATCH_TEST(a_pause_holds_lines_back),
		SCRATCH_TEST(who_only_stopped_sending_is_still_answered),
		SCRATCH_TEST(a_stopped_listener_leaves_its_callers),
	};

	return RUN_TESTS(tests);
}
