/*
 * check - what every unit test includes first
 */
#ifndef EWS_TESTS_CHECK_H
#define EWS_TESTS_CHECK_H

/* cmocka wants these before itself */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof *(array))
/* The table of a file's tests ends here. */
#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)

#endif
