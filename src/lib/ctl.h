/*
 * ctl - the blocking side of a control socket (DESIGN 7)
 *
 * For ewsctl and ewsconfirm: one JSON object a line, out and in.
 */
#ifndef EWS_LIB_CTL_H
#define EWS_LIB_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

enum {
	CTL_LINE_MAX = 1 << 20, /* of a request, DESIGN 11.4 */
	CTL_ANSWER_MAX = 8 << 20, /* of an answer: a list may be long */
	CTL_QUEUE_MAX = 16 << 20, /* bytes that wait, each way */
	CTL_STALL_MS = 30000
};

struct ctl;

/* 'socket_path' or NULL: then EWS_SOCKET, or PROGRAM.sock in the runtime
 * directory. NULL with EXIT_UNREACHABLE and what to do. */
struct ctl *ctl_open(const char *socket_path, const char *runtime_dir,
    const char *program, struct err *);
void ctl_close(struct ctl *);
int ctl_fd(const struct ctl *);
/* Is something still queued? Who polls ctl_fd then asks for POLLOUT, too,
 * and calls ctl_recv, with a deadline that is over if it must not wait. */
bool ctl_unsent(const struct ctl *);

/* Sends one request object; adds the next "id" and returns it; 0 with err.
 * The object is only lent. What the hub does not take at once is queued;
 * when the queue is full this waits and keeps reading answers, and fails
 * with EXIT_RETRY when those fill their queue, too, or with EXIT_DEADLINE
 * when nothing moves for CTL_STALL_MS. */
int64_t ctl_send(struct ctl *, json_t *request, struct err *);
/* Sends one line as it is (a newline is added). */
bool ctl_send_raw(struct ctl *, const char *line, size_t len, struct err *);

/* The next answer, any id; gives. 'deadline_ms' is monotonic, -1 for never:
 * NULL with EXIT_DEADLINE, EXIT_UNREACHABLE (the hub hung up), or
 * EXIT_PROTOCOL. While it waits it also sends what is still queued. A
 * signal does not end the wait: who catches one polls ctl_fd. */
json_t *ctl_recv(struct ctl *, int64_t deadline_ms, struct err *);
/* Is a whole answer buffered, so that ctl_recv would not wait? */
bool ctl_ready(const struct ctl *);
/* The line that the last ctl_recv parsed, with a NUL; lent until the next. */
const char *ctl_line(const struct ctl *, size_t *len);

/* Copies the "error" of an answer into err, with the exit status of its
 * code in codes.def; false if the answer is no error. */
bool ctl_failed(const json_t *answer, struct err *);

/* One request, one answer: gives the "result", or NULL with err. */
json_t *
ctl_call(struct ctl *, json_t *request, int64_t deadline_ms, struct err *);

#endif
