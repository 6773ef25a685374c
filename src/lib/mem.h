/*
 * mem - memory
 *
 * Small fixed sizes abort when memory is out (mem_alloc, mem_dup). What a
 * peer sizes uses mem_try, and its failure costs that peer (DESIGN 11.8).
 * All memory is freed with free(3).
 */
#ifndef EWS_LIB_MEM_H
#define EWS_LIB_MEM_H

#include <stddef.h>

/* Zeroed; never NULL. */
void *mem_alloc(size_t size);
void *mem_realloc(void *old, size_t size);
char *mem_dup(const char *text); /* NULL stays NULL */
char *mem_dupn(const char *bytes, size_t len); /* adds a NUL */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed; NULL when memory is out. */
void *mem_try(size_t size);
void *mem_retry(void *old, size_t size); /* the old stays on failure */

#endif
