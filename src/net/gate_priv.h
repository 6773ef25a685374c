/*
 * gate_priv - the memory behind a head, shared by gate*.c
 */
#ifndef EWS_NET_GATE_PRIV_H
#define EWS_NET_GATE_PRIV_H

#include "net/gate.h"

/* One block: the head, its header slots, the text all of it points to. */
struct block {
	struct head head; /* first: a struct head * is one of ours */
	size_t slots;
	size_t used, size;
	char *text;
	struct gate_header headers[];
};

struct block *block_new(size_t slots, size_t text);
/* Copies and terminates; NULL when the block is full. */
char *block_text(struct block *, const char *bytes, size_t len);
bool block_header(struct block *, const char *name, size_t name_len,
    const char *value, size_t value_len);
/* Fills method, target, path and query. */
bool block_request(struct block *, const char *method, size_t method_len,
    const char *target, size_t target_len, struct gate_refusal *);

bool gate_token(const char *s, size_t len); /* RFC 9110 section 5.6.2 */
bool gate_refuse(struct gate_refusal *, int status, const char *why);

#endif
