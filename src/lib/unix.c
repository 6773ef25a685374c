#include "lib/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/exit.h"
#include "lib/path.h"
#include "lib/port.h"
#include "lib/str.h"

enum { CONNECT_SECONDS = 5 };

static bool
address(const char *path, struct sockaddr_un *sun, int status, const char *code,
    struct err *err)
{
	memset(sun, 0, sizeof *sun);
	sun->sun_family = AF_UNIX;
	if (*path != '\0' &&
	    str_copy(sun->sun_path, sizeof sun->sun_path, path))
		return true;
	err_set(err, status, code,
	    "%s: the path of a socket has 1 to %zu bytes, this has %zu", path,
	    sizeof sun->sun_path - 1, strlen(path));
	errno = ENAMETOOLONG;
	return false;
}

/* Whoever may write to the directory may put another socket there. */
static bool
directory_ok(const char *path, struct err *err)
{
	char copy[PATH_SIZE];
	const char *dir;
	struct stat st;

	str_copy(copy, sizeof copy, path);
	dir = dirname(copy);
	if (stat(dir, &st) == -1) {
		err_set(
		    err, EXIT_CONFIG, "config", "%s: %s", dir, strerror(errno));
		return false;
	}
	if (st.st_mode & S_IWOTH) {
		err_set(err, EXIT_CONFIG, "config",
		    "%s is writable by everybody: no place for a socket", dir);
		return false;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		err_set(err, EXIT_CONFIG, "config",
		    "%s belongs to another user: no place for a socket", dir);
		return false;
	}
	return true;
}

/* Only a refusal proves that nobody listens; a full backlog is somebody. */
static bool
is_stale(const struct sockaddr_un *sun)
{
	int fd = port_socket(AF_UNIX, SOCK_STREAM);
	bool stale;

	if (fd == -1)
		return false;
	stale = connect(fd, (const struct sockaddr *)sun, sizeof *sun) == -1 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* True when nothing is in the way any more. */
static bool
make_way(const struct sockaddr_un *sun, struct err *err)
{
	const char *path = sun->sun_path, *why;
	struct stat st;

	if (lstat(path, &st) == -1) {
		if (errno == ENOENT)
			return true;
		why = strerror(errno);
	} else if (!S_ISSOCK(st.st_mode)) {
		why = "in the way, and no socket: remove it";
	} else if (st.st_uid != geteuid()) {
		why = "the socket belongs to another user";
	} else if (!is_stale(sun)) {
		why = "somebody answers on it already";
	} else if (unlink(path) == -1 && errno != ENOENT) {
		why = strerror(errno);
	} else {
		return true;
	}
	err_set(err, EXIT_CONFIG, "config", "%s: %s", path, why);
	return false;
}

int
unix_listen(const char *path, mode_t mode, int backlog, struct err *err)
{
	struct sockaddr_un sun;
	mode_t old;
	int fd, bound;

	if (!address(path, &sun, EXIT_CONFIG, "config", err) ||
	    !directory_ok(path, err) || !make_way(&sun, err))
		return -1;
	fd = port_socket(AF_UNIX, SOCK_STREAM);
	if (fd == -1)
		goto fail;
	/* the mask belongs to the process: only at start-up, one thread */
	old = umask(0777 & ~mode);
	bound = bind(fd, (struct sockaddr *)&sun, sizeof sun);
	umask(old);
	if (bound == -1 || listen(fd, backlog) == -1)
		goto fail;
	return fd;
fail:
	err_set(err, EXIT_CONFIG, "config", "%s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return -1;
}

/* A hub that is stopped or stuck lets its backlog run full: then connect
 * would wait for ever. */
static bool
connect_soon(int fd, const struct sockaddr_un *sun)
{
	struct timeval soon = { CONNECT_SECONDS, 0 }, never = { 0, 0 };
	int n;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
	do
		n = connect(fd, (const struct sockaddr *)sun, sizeof *sun);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof never);
	return true;
}

int
unix_connect(const char *path, struct err *err)
{
	struct sockaddr_un sun;
	int fd, saved;

	if (!address(path, &sun, EXIT_UNREACHABLE, "unreachable", err))
		return -1;
	fd = port_socket(AF_UNIX, SOCK_STREAM);
	if (fd != -1 && fcntl(fd, F_SETFL, 0) != -1 && connect_soon(fd, &sun))
		return fd;
	saved = errno;
	if (saved == EACCES || saved == EPERM)
		err_set(err, EXIT_DENIED, "denied",
		    "%s is not for you; see socket-group in ews.conf(5)", path);
	err_set(err, EXIT_UNREACHABLE, "unreachable", "%s: %s", path,
	    saved == EAGAIN ? "takes no more connections" : strerror(saved));
	if (fd != -1)
		close(fd);
	errno = saved;
	return -1;
}

bool
unix_peer(int fd, struct unix_peer *peer)
{
	return port_peer(fd, &peer->uid, &peer->gid, &peer->pid);
}

static bool
is_member(uid_t uid, gid_t group)
{
	struct passwd *pw = getpwuid(uid);
	struct group *gr;
	char **name;

	if (pw == NULL)
		return false;
	if (pw->pw_gid == group)
		return true;
	gr = getgrgid(group);
	for (name = gr != NULL ? gr->gr_mem : NULL;
	     name != NULL && *name != NULL; name++)
		if (str_eq(*name, pw->pw_name))
			return true;
	return false;
}

bool
unix_peer_ok(const struct unix_peer *peer, gid_t group)
{
	if (peer->uid == geteuid() || peer->uid == 0)
		return true;
	return group != (gid_t)-1 &&
	       (peer->gid == group || is_member(peer->uid, group));
}
