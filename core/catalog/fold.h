/*
 * Folding of equal refusals: a loop that asks the same again and again must not fill the disk.
 *
 * The first of a kind is written; equal ones within ten seconds are counted, and the count is in
 * the next one that is written. Something that was done begins anew: a refusal after it is news.
 */
#ifndef CORE_CATALOG_FOLD_H
#define CORE_CATALOG_FOLD_H

#include "core/base/cleanup.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FOLD_NS (10 * 1000000000LL)
#define FOLD_ENTRIES 64

struct fold_entry {
    uint64_t key;
    int64_t written_ns; /* 0 = free */
    int64_t repeated;   /* left out since */
};

struct fold {
    pthread_mutex_t mutex;
    struct fold_entry entries[FOLD_ENTRIES]; /* under mutex */
};

void fold_init(struct fold *fold);
void fold_dispose(struct fold *fold);

/* The key of a refusal: equal for equal ones. */
uint64_t fold_key(const char *verb, int64_t image, const char *name, int result, uid_t uid);

/* Whether a refusal at NOW with KEY is to be written; then *REPEATED says how many were left out
 * before it. Otherwise it is counted. Any thread. */
bool fold_admit(struct fold *fold, uint64_t key, int64_t now, int64_t *repeated) MUST_CHECK;

/* Something was done: equal refusals are news again. */
void fold_reset(struct fold *fold);

#endif
