/*
 * state - the states of a command, one list for hub, shell and tests
 */
#ifndef EWS_LIB_STATE_H
#define EWS_LIB_STATE_H

#include <stdbool.h>

enum command_state {
#define COMMAND_STATE(name, word, end, help) CMD_##name,
#include "lib/states.def"
#undef COMMAND_STATE
	CMD_STATES
};

const char *state_word(enum command_state);
bool state_from(const char *word, enum command_state *);
bool state_is_end(enum command_state);

#endif
