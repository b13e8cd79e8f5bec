/*
 * Check: whether a registry is whole. The file and its indexes, the schema, and every invariant
 * that the tables must keep: counters, limits, times, the event log, and records against their
 * columns. In the replica of a cloud the limits and the records are the cloud's, which nobody here
 * can keep from being odd: what was made of them is looked at.
 */
#ifndef CORE_STORE_CHECK_H
#define CORE_STORE_CHECK_H

#include "core/store/store.h"

struct check_result {
    int64_t breaches;
    int64_t accounts, images, shares;
};

/* Takes one breach, a line of text without its newline, safe for a terminal. */
typedef void (*check_report)(const char *breach, void *context);

/* Checks STORE, all of it in one read transaction. Returns 0 with *RESULT set, whatever was found,
 * or a negative errno with ERROR set where it could not be checked at all. */
int check_run(struct store *store, check_report report, void *context, struct check_result *result,
              struct buffer *error) MUST_CHECK;

#endif
