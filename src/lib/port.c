#include "lib/port.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef __APPLE__
#include <mach-o/dyld.h>
#include <mach/mach.h>
#include <sys/sysctl.h>
#else
#include <sys/prctl.h>
#endif

#ifdef __APPLE__

/* Not atomic as on Linux: nothing here forks from a second thread. */
static int
flags(int fd, bool nonblock)
{
	int on = 1;

	if (fd == -1)
		return -1;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    (nonblock && fcntl(fd, F_SETFL, O_NONBLOCK) == -1)) {
		close(fd);
		return -1;
	}
	if (nonblock)
		setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
	return fd;
}

int
port_accept(int fd)
{
	return flags(accept(fd, NULL, NULL), true);
}

int
port_pipe(int fds[2])
{
	if (pipe(fds) == -1)
		return -1;
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	fcntl(fds[1], F_SETFD, FD_CLOEXEC);
	return 0;
}

int
port_socket(int domain, int type)
{
	return flags(socket(domain, type, 0), true);
}

bool
port_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid)
{
	socklen_t len = sizeof *pid;

	if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, pid, &len) == -1)
		*pid = -1;
	return getpeereid(fd, uid, gid) == 0;
}

/* Plain fsync leaves the data in the drive's cache there. */
int
port_sync(int fd)
{
	if (fcntl(fd, F_FULLFSYNC) == 0)
		return 0;
	return fsync(fd);
}

bool
port_subreaper(void)
{
	return false;
}

uint64_t
port_rss(void)
{
	struct mach_task_basic_info info;
	mach_msg_type_number_t n = MACH_TASK_BASIC_INFO_COUNT;

	if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO,
		(task_info_t)&info, &n) != KERN_SUCCESS)
		return 0;
	return info.resident_size;
}

bool
port_boot_id(char out[PORT_BOOT_SIZE])
{
	size_t len = PORT_BOOT_SIZE;

	if (sysctlbyname("kern.bootsessionuuid", out, &len, NULL, 0) == 0 &&
	    *out != '\0')
		return true;
	memcpy(out, "-", 2);
	return false;
}

bool
port_program(char *out, size_t size)
{
	char raw[4096], full[PATH_MAX];
	uint32_t len = sizeof raw;

	if (_NSGetExecutablePath(raw, &len) == -1 ||
	    realpath(raw, full) == NULL || strlen(full) >= size)
		return false;
	memcpy(out, full, strlen(full) + 1);
	return true;
}

void
port_die_with(pid_t parent, int signal)
{
	(void)parent;
	(void)signal;
}

size_t
port_children(pid_t *out, size_t max)
{
	(void)out;
	(void)max;
	return 0;
}

#else

int
port_accept(int fd)
{
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int
port_pipe(int fds[2])
{
	return pipe2(fds, O_CLOEXEC);
}

int
port_socket(int domain, int type)
{
	return socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

bool
port_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return false;
	*uid = cred.uid;
	*gid = cred.gid;
	*pid = cred.pid > 0 ? cred.pid : -1;
	return true;
}

int
port_sync(int fd)
{
	return fsync(fd);
}

bool
port_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

uint64_t
port_rss(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool
port_boot_id(char out[PORT_BOOT_SIZE])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	bool ok = f != NULL && fscanf(f, "%63s", out) == 1;

	if (f != NULL)
		fclose(f);
	if (!ok)
		memcpy(out, "-", 2);
	return ok;
}

bool
port_program(char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size);

	if (n <= 0 || (size_t)n >= size)
		return false;
	out[n] = '\0';
	return true;
}

void
port_die_with(pid_t parent, int signal)
{
	prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
	if (getppid() != parent) /* it ended before we asked */
		kill(getpid(), signal);
}

/* Needs CONFIG_PROC_CHILDREN, which all distributions set. */
size_t
port_children(pid_t *out, size_t max)
{
	char path[64];
	FILE *f;
	size_t n = 0;
	int pid;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	while (f != NULL && n < max && fscanf(f, "%d", &pid) == 1)
		out[n++] = pid;
	if (f != NULL)
		fclose(f);
	return n;
}

#endif

/* getentropy is on both, at most 256 bytes a call. */
void
port_random(void *out, size_t len)
{
	char *p = out;

	while (len > 0) {
		size_t n = len < 256 ? len : 256;

		if (getentropy(p, n) == -1)
			abort();
		p += n;
		len -= n;
	}
}

bool
port_lowat(int fd, int bytes)
{
	return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) ==
	       0;
}
