#include "lib/state.h"

#include <string.h>

static const struct {
	const char *word;
	bool end;
} states[] = {
#define COMMAND_STATE(name, word, end, help) { word, end },
#include "lib/states.def"
#undef COMMAND_STATE
};

const char *
state_word(enum command_state s)
{
	return states[s].word;
}

bool
state_from(const char *word, enum command_state *out)
{
	for (int i = 0; i < CMD_STATES; i++) {
		if (strcmp(states[i].word, word) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

bool
state_is_end(enum command_state s)
{
	return states[s].end;
}
