/*
 * Import: images, and the accounts they are shared with, from files of JSON into a registry.
 *
 * A file is a response of describeImages as it is, a list of images, images one after the other, or
 * what export wrote; json_span.h has the forms. Beside the API's members an image may carry "pins"
 * (the accounts that it is shared with) and "pinTimes" (since when, RFC 3339). The accounts of
 * owners and pins are made where they are missing. An image that is there is updated: it keeps its
 * row and the shares that it has, and gains those that it lacks.
 *
 * Everything is read and checked before anything is changed: into a temporary database, without the
 * lock that writers queue on. Then it is moved over, at once where that is short, else in steps,
 * each a transaction of its own that leaves the registry whole, so that a mount's changes need not
 * wait.
 */
#ifndef CORE_STORE_IMPORT_H
#define CORE_STORE_IMPORT_H

#include "core/store/store.h"

/* The longest JSON of one image. */
#define IMPORT_RECORD_MAX ((size_t)16 << 20)

/* The bounds of the limit of accounts an image. */
#define IMPORT_LIMIT_MAX 1000000

enum import_phase {
    IMPORT_READING,
    IMPORT_CHECKING,
    IMPORT_MOVING,
};

struct import_progress {
    enum import_phase phase;
    int64_t images; /* read, or moved, so far */
    int64_t done;   /* of TOTAL: bytes while reading, images while moving */
    int64_t total;  /* 0 where it is not known */
};

/* What is asked for. All of it is the caller's and must outlive the call. */
struct import_options {
    const char *const *files; /* paths; "-" is standard input */
    size_t file_count;
    const char *owner;        /* pin for images without ownerPin, or NULL */
    bool known_accounts_only; /* an unknown account is an error */

    /* Each may be NULL. Called in the caller's thread with CONTEXT. */
    void (*progress)(const struct import_progress *progress, void *context); /* now and then */
    void (*moving)(void *context); /* once, before the first change */
    bool (*stop)(void *context);   /* from then on, between steps: true ends the import there */
    void *context;
};

struct import_result {
    int64_t images; /* in the registry now: added and updated */
    int64_t added;
    int64_t updated;  /* that were there, whether anything differed or not */
    int64_t shares;   /* new ones */
    int64_t accounts; /* new ones */
};

/* Imports into STORE. Returns 0, or a negative errno with ERROR set: -EINVAL for a file that is not
 * right (ERROR says FILE:LINE:COLUMN, and nothing was changed), -EINTR where it was stopped. Where
 * ERROR says that some were imported, RESULT tells how many. */
int import_run(struct store *store, const struct import_options *options,
               struct import_result *result, struct buffer *error) MUST_CHECK;

#endif
