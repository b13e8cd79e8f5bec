/*
 * A write transaction of a program that has one thread: the lock that writers queue on, and
 * SQLite's transaction inside it. (A mount commits through writer.h.)
 */
#ifndef CORE_STORE_TRANSACTION_H
#define CORE_STORE_TRANSACTION_H

#include "core/store/store.h"

/* Waits for the lock of STORE as lock_acquire() does, at most LOCK_WAIT_MS, and begins a
 * transaction on CONNECTION, which is to the same file. Returns 0, or a negative refusal/errno
 * (-REFUSAL_READ_ONLY for a store that was opened for reading, -REFUSAL_STORE_LOCKED,
 * -REFUSAL_INTERRUPTED, -REFUSAL_STORE_REPLACED) with no lock held. */
int transaction_begin(struct store *store, struct connection *connection,
                      bool (*give_up)(void *context), void *context) MUST_CHECK;

/* Commits and gives the lock back. On a negative refusal/errno nothing was changed. */
int transaction_commit(struct store *store, struct connection *connection) MUST_CHECK;

/* Undoes everything and gives the lock back. */
void transaction_abort(struct store *store, struct connection *connection);

/* Begins a transaction that only reads: from the first statement on CONNECTION sees one state of
 * the store, whoever writes meanwhile. It takes no lock. Returns 0 or a negative refusal/errno. */
int snapshot_begin(struct connection *connection) MUST_CHECK;
void snapshot_end(struct connection *connection);

/* Appends what RESULT, a negative refusal/errno of CONNECTION, means for the file of STORE, and
 * what to do about it. Returns the negative errno. */
int store_explain(const struct store *store, const struct connection *connection, int result,
                  struct buffer *error);

#endif
