/*
 * A store's file: opening it, and finding out how it can be opened.
 */
#ifndef CORE_STORE_STORE_H
#define CORE_STORE_STORE_H

#include "core/store/connection.h"
#include "core/store/view.h"

struct store {
    char *path; /* as given */
    enum connection_mode mode;
    struct connection connection; /* for writing, or the only one of a program that only reads */
    int lock_fd;                  /* lock.h; -1 where the store cannot be written */
};

/* Removes the file PATH and those that belong to it. */
void store_remove(const char *path);

/* Opens the registry PATH, for writing if that is possible, else for reading; store->mode tells. An
 * older schema is brought up to date. Where the directory cannot hold the side files of a reader,
 * the file is opened as immutable, if no writer left a log beside it. Returns 0, or a negative
 * errno with ERROR naming the file, what is wrong with it, and what to do. */
int store_open(const char *path, struct store *store, struct buffer *error) MUST_CHECK;

/* The same for a file that may be a replica, which store_open() refuses: what is changed in one
 * would not reach its cloud. */
int store_open_any(const char *path, struct store *store, struct buffer *error) MUST_CHECK;

/* Whether a writer's log lies beside PATH: its content would be missed by an immutable reader. */
bool store_has_log(const char *path);

void store_close(struct store *store);

/* Finds the account PIN, or the only one there is when PIN is NULL; its row and its pin. Returns 0,
 * or a negative errno with ERROR set: -ENOENT for an unknown account, -EINVAL when none was named
 * and there are several, or there is none. */
int store_account(struct store *store, const char *pin, int64_t *row, char out_pin[VIEW_NAME_SIZE],
                  struct buffer *error) MUST_CHECK;

#endif
