/*
 * killlib - kills a program at its N-th step (LD_PRELOAD, Linux only)
 *
 *	KILL_OF=NAME   the program; others, which inherit this, are let alone
 *	KILL_AT=N      SIGKILL in place of the N-th step, counted from 1; a
 *	               fork is two: before it, and when the child is there
 *	FORK_FAILS=N   its first N forks fail, for want of processes
 *	KILL_BOOT=ID   /proc/sys/kernel/random/boot_id says ID, as if the
 *	               machine had been started anew; of every program
 *
 * A step is what leaves a trace when we are gone: a write to a file or a
 * socket, a sync, a name made, changed or removed, a lock, a process. Of
 * standard error, which is a log, nothing is counted.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long kill_at; /* 0: never */
static long fork_fails;
static atomic_long steps;

__attribute__((constructor)) static void
set_up(void)
{
	const char *name = getenv("KILL_OF"), *at = getenv("KILL_AT");
	const char *fails = getenv("FORK_FAILS");

	if (name == NULL || strcmp(name, program_invocation_short_name) != 0)
		return;
	if (at != NULL)
		kill_at = atol(at);
	if (fails != NULL)
		fork_fails = atol(fails);
}

static void
step(void)
{
	if (kill_at == 0 || atomic_fetch_add(&steps, 1) + 1 != kill_at)
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Pipes and counters of the loop are no trace. */
static void
step_of(int fd)
{
	struct stat st;

	if (kill_at != 0 && fd != STDERR_FILENO && fstat(fd, &st) == 0 &&
	    (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode)))
		step();
}

/* ---- bytes -------------------------------------------------------------- */

ssize_t
write(int fd, const void *bytes, size_t len)
{
	step_of(fd);
	return syscall(SYS_write, fd, bytes, len);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	step_of(fd);
	return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
	return pwrite(fd, bytes, len, offset);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	step_of(fd);
	return syscall(SYS_writev, fd, v, n);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	step_of(fd);
	return syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t
send(int fd, const void *bytes, size_t len, int flags)
{
	step_of(fd);
	return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

int
fsync(int fd)
{
	step();
	return (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	step();
	return (int)syscall(SYS_fdatasync, fd);
}

int
ftruncate(int fd, off_t size)
{
	step();
	return (int)syscall(SYS_ftruncate, fd, size);
}

int
ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

/* ---- names -------------------------------------------------------------- */

int
rename(const char *from, const char *to)
{
	step();
	return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	step();
	return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int
unlink(const char *path)
{
	step();
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int
unlinkat(int dir, const char *path, int flags)
{
	step();
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

int
mkdirat(int dir, const char *path, mode_t mode)
{
	step();
	return (int)syscall(SYS_mkdirat, dir, path, mode);
}

int
mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

static int
any_open(int dir, const char *path, int flags, mode_t mode)
{
	if ((flags & O_CREAT) != 0)
		step();
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

#define OPEN(flags)                                                            \
	va_list ap;                                                            \
	mode_t mode;                                                           \
                                                                               \
	va_start(ap, flags);                                                   \
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;         \
	va_end(ap)

int
open(const char *path, int flags, ...)
{
	OPEN(flags);
	return any_open(AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	OPEN(flags);
	return any_open(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int
openat(int dir, const char *path, int flags, ...)
{
	OPEN(flags);
	return any_open(dir, path, flags, mode);
}

int
openat64(int dir, const char *path, int flags, ...)
{
	OPEN(flags);
	return any_open(dir, path, flags | O_LARGEFILE, mode);
}

int
bind(int fd, const struct sockaddr *name, socklen_t len)
{
	step();
	return (int)syscall(SYS_bind, fd, name, len);
}

int
flock(int fd, int how)
{
	step();
	return (int)syscall(SYS_flock, fd, how);
}

/* ---- processes ---------------------------------------------------------- */

pid_t
fork(void)
{
	pid_t (*next)(void);
	pid_t pid;

	*(void **)&next = dlsym(RTLD_NEXT, "fork");
	if (fork_fails > 0) {
		fork_fails--;
		errno = EAGAIN;
		return -1;
	}
	step();
	pid = next();
	if (pid == 0)
		kill_at = 0; /* it is another program soon */
	else
		step();
	return pid;
}

/* A function cannot return twice over one stack; a fork does as well. */
pid_t
vfork(void)
{
	return fork();
}

/* ---- another start of the machine --------------------------------------- */

FILE *
fopen(const char *path, const char *mode)
{
	FILE *(*next)(const char *, const char *);
	const char *boot = getenv("KILL_BOOT");

	if (boot != NULL &&
	    strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
		return fmemopen((char *)boot, strlen(boot), "r");
	*(void **)&next = dlsym(RTLD_NEXT, "fopen");
	return next(path, mode);
}
