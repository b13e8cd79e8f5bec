/*
 * Cleanup attributes: what a function takes, it gives back on every way out.
 *
 * A variable with one of these must be initialised where it is declared, or an early return would
 * free whatever was on the stack.
 */
#ifndef CORE_BASE_CLEANUP_H
#define CORE_BASE_CLEANUP_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

static inline void cleanup_unlock(pthread_mutex_t **mutex)
{
    (void)pthread_mutex_unlock(*mutex);
}

/* free() at the end of the scope. */
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
/* close() at the end of the scope, unless it is negative. */
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close)))
/* fclose() at the end of the scope, unless it is NULL. For files that were read: an error at the
 * close of a written file must be looked at. */
#define CLEANUP_FCLOSE __attribute__((cleanup(cleanup_fclose)))

/* Holds MUTEX until the end of the scope. Locking a valid mutex of the default kind cannot fail. */
#define LOCK_SCOPE_(mutex, name)                                                                   \
    __attribute__((cleanup(cleanup_unlock), unused)) pthread_mutex_t *name = (mutex);              \
    (void)pthread_mutex_lock(name)
#define LOCK_SCOPE(mutex) LOCK_SCOPE_(mutex, lock_scope_mutex)

/* Hands POINTER over: gives its value and leaves NULL behind. */
#define STEAL(pointer)                                                                             \
    __extension__({                                                                                \
        __typeof__(pointer) steal_value = (pointer);                                               \
        (pointer) = NULL;                                                                          \
        steal_value;                                                                               \
    })

/* The result must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

#endif
