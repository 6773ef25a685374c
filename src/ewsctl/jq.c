/* --jq: the installed jq between our stdout and the world */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ewsctl/output.h"
#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/port.h"

static pid_t jq = -1;

static void
become_jq(int from, const char *expr)
{
	/* the space keeps an expression that begins with "-" from being
	 * taken for an option */
	const char *const argv[] = { "jq", "--unbuffered", "-r", "-c",
		mem_printf(" %s", expr), NULL };

	if (dup2(from, STDIN_FILENO) == -1)
		_exit(EXIT_INTERNAL);
	execvp(argv[0], (char *const *)argv);
	_exit(errno == ENOENT ? EXIT_CONFIG : EXIT_INTERNAL);
}

bool
jq_start(const char *expr, struct err *err)
{
	int fds[2];

	fflush(NULL);
	if (port_pipe(fds) == -1 || (jq = fork()) == -1) {
		err_set(
		    err, EXIT_INTERNAL, "internal", "jq: %s", strerror(errno));
		return false;
	}
	if (jq == 0)
		become_jq(fds[0], expr);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[0]);
	close(fds[1]);
	return true;
}

int
jq_end(int status)
{
	int got, code;

	/* jq ends when it sees the end of our output */
	fflush(stdout);
	if (freopen("/dev/null", "w", stdout) == NULL ||
	    waitpid(jq, &got, 0) == -1)
		return status != EXIT_OK ? status : EXIT_INTERNAL;
	code = WIFEXITED(got) ? WEXITSTATUS(got) : EXIT_INTERNAL;
	if (code == 0 || status != EXIT_OK)
		return status;
	if (code == EXIT_CONFIG)
		fprintf(stderr, "ewsctl: --jq: jq is not installed\n");
	return code == EXIT_CONFIG ? EXIT_CONFIG : EXIT_DATA;
}
