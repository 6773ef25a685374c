/*
 * gen - makes the completions of bash, zsh and fish, and the manual's tables
 *
 *   gen bash|zsh|fish ewsctl|ewsd|ewsagent
 *   gen man PAGE <PAGE.in >PAGE	a line  .\"@ KIND PROGRAM  becomes a table
 *
 * From verbs.def and settings.def, so that no list is kept twice.
 */
#include <stdio.h>

#include "gen.h"

int
main(int argc, char **argv)
{
	const struct program *p = argc == 3 ? program(argv[2]) : NULL;

	if (argc == 3 && is(argv[1], "man"))
		return man();
	if (p != NULL && is(argv[1], "bash"))
		bash(p);
	else if (p != NULL && is(argv[1], "zsh"))
		zsh(p);
	else if (p != NULL && is(argv[1], "fish"))
		fish(p);
	else {
		fputs(
		    "usage: gen bash|zsh|fish PROGRAM, gen man PAGE\n", stderr);
		return 64;
	}
	return 0;
}
