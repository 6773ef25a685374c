/*
 * record - what a program did to a directory, as faultlib writes it down
 *
 * A log is a row of these, in the order of the events, each followed by its
 * texts and bytes. A write is there before it is done, a sync after it: so
 * whatever a cut of the power may have left is known at every place.
 */
#ifndef TESTS_RECORD_H
#define TESTS_RECORD_H

#include <stdint.h>

enum record_op {
	RECORD_CREATE = 'C', /* name */
	RECORD_WRITE = 'W', /* name, bytes at 'offset' */
	RECORD_TRUNCATE = 'T', /* name, to 'offset' bytes */
	RECORD_SYNC = 'S', /* name ("" is the directory itself) */
	RECORD_SYNC_FAILED = 'F', /* the same: what it held may be lost */
	RECORD_RENAME = 'R', /* name, and as bytes the new one */
	RECORD_UNLINK = 'U', /* name */
	RECORD_SENT = 'A' /* bytes that went into a socket */
};

enum { RECORD_MAGIC = 0x65777366 };

struct record {
	uint32_t magic;
	uint8_t op;
	uint8_t zero;
	uint16_t name_len;
	uint32_t len; /* of the bytes */
	uint32_t place; /* for a fault, counted from 1; 0: none */
	int64_t offset;
	int64_t start; /* of a sync: where in the log it began */
};

#endif
