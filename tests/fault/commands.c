#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT = 40, LONG = 12000 };

bool
command_is_cancelled(int k)
{
	return k % 5 == 0;
}

size_t
command_payload(char out[COMMAND_PAYLOAD], int k)
{
	size_t fill = k % 4 == 0 ? LONG : SHORT;
	int n = sprintf(out, "{\"k\":%d,\"fill\":\"", k);

	memset(out + n, 'a' + k % 26, fill);
	strcpy(out + n + fill, "\"}");
	return (size_t)n + fill + 2;
}

int
command_number(const char *id)
{
	int k = id[0] == 'c' ? atoi(id + 1) : 0;

	return k > 0 && k < COMMANDS_MAX ? k : 0;
}
