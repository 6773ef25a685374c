/*
 * exit - the exit statuses of all programs
 *
 * The numbers of sysexits(3), plus those of timeout(1) and the shells.
 * Scripts rely on them: a number once given keeps its meaning.
 */
#ifndef EWS_LIB_EXIT_H
#define EWS_LIB_EXIT_H

enum {
	EXIT_OK = 0, /* done */
	EXIT_NEGATIVE = 1, /* asked and answered: no */
	EXIT_USAGE_ = 64, /* the command line is wrong */
	EXIT_DATA = 65, /* the data given is wrong */
	EXIT_UNREACHABLE = 69, /* no hub answers */
	EXIT_INTERNAL = 70, /* our own mistake */
	EXIT_IO = 74, /* a file or the disk failed */
	EXIT_RETRY = 75, /* try later: queue full, rate, draining */
	EXIT_PROTOCOL = 76, /* the peer talks nonsense */
	EXIT_DENIED = 77, /* not allowed */
	EXIT_CONFIG = 78, /* the configuration is wrong */
	EXIT_DEADLINE = 124, /* the time given is over */
	EXIT_NOT_STARTED = 125, /* run: the handler never started */
	EXIT_REFUSED = 126, /* run: the agent refused it */
	EXIT_NO_HANDLER = 127, /* run: no such handler */
	EXIT_SIGNALLED = 128, /* run: plus the signal's number */
	EXIT_INTERRUPTED = 130, /* SIGINT */
	EXIT_TERMINATED = 143, /* SIGTERM */
	EXIT_UNKNOWN = 255 /* run: the outcome is not known */
};

#endif
