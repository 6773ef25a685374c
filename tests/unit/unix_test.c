#include "lib/unix.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "lib/exit.h"
#include "lib/port.h"
#include "scratch.h"

static void
a_socket_has_its_mode_whatever_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 0777 };
	static const mode_t modes[] = { 0600, 0660 };
	struct scratch *s = *state;
	size_t i, k;

	for (i = 0; i < N_OF(masks); i++)
		for (k = 0; k < N_OF(modes); k++) {
			mode_t old = umask(masks[i]);
			struct stat st;
			int fd = unix_listen(
			    scratch_path(s, "sock"), modes[k], 5, NULL);

			assert_int_equal(umask(old), masks[i]);
			assert_true(fd >= 0);
			assert_int_equal(lstat(s->path, &st), 0);
			assert_int_equal(st.st_mode & 07777, modes[k]);
			assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
			assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
			close(fd);
			unlink(s->path);
		}
}

static void
a_peer_is_known_by_its_uid(void **state)
{
	struct scratch *s = *state;
	int fd = unix_listen(scratch_path(s, "sock"), 0600, 5, NULL);
	int client = unix_connect(s->path, NULL), server;
	struct unix_peer peer;

	assert_true(client >= 0);
	assert_false(fcntl(client, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(client, F_GETFD), FD_CLOEXEC);
	server = port_accept(fd);
	assert_true(server >= 0);
	assert_true(unix_peer(server, &peer));
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_true(peer.pid == -1 || peer.pid == getpid());
	assert_true(unix_peer_ok(&peer, (gid_t)-1));
	close(server);
	close(client);
	close(fd);
}

static void
others_come_in_by_their_group_only(void **state)
{
	struct unix_peer peer = { 54321, 54322, -1 };

	(void)state;
	assert_false(unix_peer_ok(&peer, (gid_t)-1));
	assert_false(unix_peer_ok(&peer, 54323));
	assert_true(unix_peer_ok(&peer, 54322));
	peer.gid = (gid_t)-1; /* no group is not a group */
	assert_false(unix_peer_ok(&peer, (gid_t)-1));
	peer.uid = 0;
	assert_true(unix_peer_ok(&peer, (gid_t)-1));
}

static void
a_stale_socket_is_replaced(void **state)
{
	struct scratch *s = *state;
	int fd = unix_listen(scratch_path(s, "sock"), 0600, 5, NULL);

	close(fd); /* as after kill -9: the file stays */
	assert_int_equal(access(s->path, F_OK), 0);
	fd = unix_listen(s->path, 0600, 5, NULL);
	assert_true(fd >= 0);
	close(fd);
}

static void
a_socket_that_answers_is_left_alone(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;
	int fd = unix_listen(scratch_path(s, "sock"), 0600, 5, NULL), client;

	assert_int_equal(unix_listen(s->path, 0600, 5, &err), -1);
	assert_int_equal(err.status, EXIT_CONFIG);
	assert_non_null(strstr(err.text, "somebody answers"));
	client = unix_connect(s->path, NULL);
	assert_true(client >= 0);
	close(client);
	close(fd);
}

static void
a_full_backlog_is_somebody_too(void **state)
{
	struct scratch *s = *state;
	int fd = unix_listen(scratch_path(s, "sock"), 0600, 0, NULL);
	int clients[64], n = 0;

	for (; n < 64; n++) { /* until it would wait */
		struct sockaddr_storage a;
		socklen_t len = sizeof a;

		getsockname(fd, (struct sockaddr *)&a, &len);
		clients[n] = port_socket(AF_UNIX, SOCK_STREAM);
		if (connect(clients[n], (struct sockaddr *)&a, len) == -1)
			break;
	}
	if (n < 64 && errno == EAGAIN) /* a Mac refuses instead */
		assert_int_equal(unix_listen(s->path, 0600, 5, NULL), -1);
	for (; n >= 0; n--)
		if (n < 64)
			close(clients[n]);
	close(fd);
}

static void
what_is_no_socket_of_ours_stays(void **state)
{
	struct scratch *s = *state;
	char target[1024];
	struct err err = ERR_INIT;

	scratch_write(s, "file", "precious", 8, 0600);
	assert_int_equal(unix_listen(s->path, 0600, 5, &err), -1);
	assert_non_null(strstr(err.text, "no socket"));
	assert_int_equal(access(s->path, F_OK), 0);
	snprintf(target, sizeof target, "%s", s->path);

	assert_int_equal(symlink(target, scratch_path(s, "link")), 0);
	assert_int_equal(unix_listen(s->path, 0600, 5, NULL), -1);
	assert_int_equal(unlink(s->path), 0);
	/* nor to a stale socket of our own, nor nowhere */
	close(unix_listen(scratch_path(s, "sock"), 0600, 5, NULL));
	snprintf(target, sizeof target, "%s", s->path);
	assert_int_equal(symlink(target, scratch_path(s, "link")), 0);
	assert_int_equal(unix_listen(s->path, 0600, 5, NULL), -1);
	assert_int_equal(unlink(s->path), 0);
	assert_int_equal(symlink("/nowhere", s->path), 0);
	assert_int_equal(unix_listen(s->path, 0600, 5, NULL), -1);
}

static void
a_directory_for_everybody_is_no_place(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;

	assert_int_equal(chmod(s->dir, 01777), 0);
	assert_int_equal(
	    unix_listen(scratch_path(s, "sock"), 0600, 5, &err), -1);
	assert_non_null(strstr(err.text, "writable by everybody"));
	err_clear(&err);
	assert_int_equal(
	    unix_listen(scratch_path(s, "none/sock"), 0600, 5, &err), -1);
	assert_int_equal(err.status, EXIT_CONFIG);
}

static void
a_path_too_long_says_the_limit(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;
	char name[200];

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_int_equal(unix_listen(scratch_path(s, name), 0600, 5, &err), -1);
	assert_non_null(strstr(err.text, "the path of a socket has 1 to 10"));
	err_clear(&err);
	assert_int_equal(unix_connect(s->path, &err), -1);
	assert_int_equal(err.status, EXIT_UNREACHABLE);
	assert_int_equal(unix_connect("", NULL), -1);
}

static void
nobody_there_is_unreachable(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;
	int fd;

	assert_int_equal(unix_connect(scratch_path(s, "none"), &err), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(err.status, EXIT_UNREACHABLE);
	assert_string_equal(err.code, "unreachable");
	fd = unix_listen(scratch_path(s, "sock"), 0600, 5, NULL);
	close(fd);
	err_clear(&err);
	assert_int_equal(unix_connect(s->path, &err), -1);
	assert_int_equal(errno, ECONNREFUSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_socket_has_its_mode_whatever_the_umask),
		SCRATCH_TEST(a_peer_is_known_by_its_uid),
		cmocka_unit_test(others_come_in_by_their_group_only),
		SCRATCH_TEST(a_stale_socket_is_replaced),
		SCRATCH_TEST(a_socket_that_answers_is_left_alone),
		SCRATCH_TEST(a_full_backlog_is_somebody_too),
		SCRATCH_TEST(what_is_no_socket_of_ours_stays),
		SCRATCH_TEST(a_directory_for_everybody_is_no_place),
		SCRATCH_TEST(a_path_too_long_says_the_limit),
		SCRATCH_TEST(nobody_there_is_unreachable),
	};

	return RUN_TESTS(tests);
}
