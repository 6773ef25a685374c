/*
 * path - where things are, and files that must be private
 */
#ifndef EWS_LIB_PATH_H
#define EWS_LIB_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

enum { PATH_SIZE = 1024 };

/* The runtime directory of DESIGN 7: the first that exists of
 * $XDG_RUNTIME_DIR/ews, /run/user/UID/ews, /run/ews, the state directory.
 * 'create' makes $XDG_RUNTIME_DIR/ews or /run/user/UID/ews (0700) when its
 * parent exists and is ours. */
bool path_runtime(
    char out[PATH_SIZE], const char *state_dir, bool create, struct err *);
/* /var/lib/PROGRAM for root, else $XDG_STATE_HOME/ews or ~/.local/state/ews
 * (the passwd entry where HOME is not set: cron). */
bool path_state(char out[PATH_SIZE], const char *program, struct err *);
/* dir + "/" + name; false with err if it is too long. */
bool
path_join(char out[PATH_SIZE], const char *dir, const char *name, struct err *);

/* Makes 'dir' (and its parents) 0700 if absent. Refuses a directory that is
 * not ours, or writable by others (ABUSE 72). */
bool path_private_dir(const char *dir, struct err *);

/* Reads a whole file of at most 'max' bytes; gives; NULL with err. A fifo,
 * a directory or a device is refused. */
char *path_read(const char *path, size_t max, size_t *len, struct err *);
/* The same, but the file must be ours (or root's) and closed to group and
 * others (ABUSE 58; EWS_LOOSE_FILES=yes lets it pass, with a line in the
 * log), and one trailing newline is cut. "-" is no name. */
char *path_read_secret(const char *path, struct err *);
/* The same for what is no secret but is believed (a configuration file):
 * ours or root's, not writable by group or others, nothing cut. *absent
 * (may be NULL) tells "there is none" from the other errors. */
char *path_read_trusted(
    const char *path, size_t max, size_t *len, bool *absent, struct err *);

/* Writes, syncs, renames: the file is whole or the old one. */
bool path_write(
    const char *path, const char *bytes, size_t len, int mode, struct err *);

#endif
