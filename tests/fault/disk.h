/*
 * disk - the files that a cut of the power may leave
 *
 * Fed with the records of a log (record.h). What was synced is there. Of
 * what came after, a cut keeps what chance wants: whole writes, or some of
 * their sectors of 512 bytes. Names are kept in their order, the last ones
 * may be missing: file systems keep a journal of them, and a sync of any
 * file writes it. 'strict' is the letter of POSIX: only a sync of the
 * directory does.
 */
#ifndef TESTS_DISK_H
#define TESTS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

struct disk;

struct disk *disk_new(uint64_t seed, bool strict);
void disk_free(struct disk *);

/* 'at' is the record's place in the log; name and bytes are lent for as
 * long as the disk lives. */
void disk_feed(struct disk *, const struct record *, const char *name,
    const char *bytes, int64_t at);

/* Cuts the power and writes what is left into 'dir', which is emptied of
 * files before. */
void disk_cut(struct disk *, const char *dir);

/* The chance of this disk: 0 to n - 1. */
uint64_t disk_chance(struct disk *, uint64_t n);

#endif
