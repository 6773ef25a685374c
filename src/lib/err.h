/*
 * err - an exit status, a code word and one sentence for a person
 *
 * Passed as the last argument of what can fail for a reason that a person
 * should read. Whoever knows the reason sets it; only an edge (main, a
 * door) speaks it. Setting it twice keeps the first: the cause.
 */
#ifndef EWS_LIB_ERR_H
#define EWS_LIB_ERR_H

#include <stdbool.h>

enum { ERR_TEXT_MAX = 512 };

struct err {
	int status; /* of exit.h; 0: nothing went wrong */
	const char *code; /* a static word: "agent_unknown"; never NULL
				 * once set. codes.def lists them all */
	char text[ERR_TEXT_MAX]; /* one sentence, no newline */
};

#define ERR_INIT                                                               \
	{                                                                      \
		0, "ok", ""                                                    \
	}

/* 'code' is a static string from codes.def. 'err' may be NULL. */
void err_set(struct err *err, int status, const char *code, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
/* Puts "fmt: " in front of the sentence. */
void err_prefix(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void err_clear(struct err *err);
bool err_isset(const struct err *err);

#endif
