/*
 * wskey - the key of a WebSocket handshake, and the head it stands in
 */
#ifndef TOOLS_WSKEY_H
#define TOOLS_WSKEY_H

#include <stddef.h>

enum { WSKEY_LEN = 24, WSKEY_ANSWER_LEN = 28 };

void wskey_make(char key[WSKEY_LEN + 1]);
void
wskey_answer(const char *key, size_t len, char answer[WSKEY_ANSWER_LEN + 1]);

/* Length of the HTTP head with its empty line, 0 while it is incomplete. */
size_t wskey_head_len(const char *, size_t);

#endif
