/*
 * disk_kit - what a test does in a child, where the disk may fill up
 */
#ifndef EWS_TESTS_DISK_KIT_H
#define EWS_TESTS_DISK_KIT_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "check.h"
#include "scratch.h"

/* cmocka's own asserts jump, which a child must not. */
#define CHECK(what)                                                            \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "line %d: %s\n", __LINE__, #what);     \
			_exit(1);                                              \
		}                                                              \
	} while (0)

/* Files of this process cannot grow past 'bytes': RLIMIT_FSIZE gives EFBIG,
 * which is as good as a full disk. */
static inline void
limit_files(rlim_t bytes)
{
	struct rlimit rl;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &rl);
	rl.rlim_cur = bytes;
	CHECK(setrlimit(RLIMIT_FSIZE, &rl) == 0);
}

/* 'sig' 0: it ends by itself, and well. */
static inline void
in_child(struct scratch *s, void (*fn)(struct scratch *), int sig)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		fn(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (sig == 0)
		assert_int_equal(status, 0);
	else
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == sig);
}

#endif
