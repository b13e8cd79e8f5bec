/* A write transaction: see the header. */
#include "core/store/transaction.h"

#include "core/rules/refusal.h"
#include "core/store/lock.h"

#include <errno.h>
#include <string.h>

int transaction_begin(struct store *store, struct connection *connection,
                      bool (*give_up)(void *context), void *context)
{
    if (store->mode != CONNECTION_READ_WRITE)
        return -REFUSAL_READ_ONLY;
    int result = lock_acquire(store->lock_fd, LOCK_WAIT_MS, give_up, context);
    if (result == -ETIMEDOUT)
        return -REFUSAL_STORE_LOCKED;
    if (result == -EINTR)
        return -REFUSAL_INTERRUPTED;
    if (result < 0)
        return result;
    result = connection_has_moved(connection) ? -REFUSAL_STORE_REPLACED
                                              : statement_run(connection, STATEMENT_BEGIN, "");
    if (result < 0)
        lock_release(store->lock_fd);
    return result;
}

void transaction_abort(struct store *store, struct connection *connection)
{
    connection_rollback(connection);
    lock_release(store->lock_fd);
}

int transaction_commit(struct store *store, struct connection *connection)
{
    int result = sqlite3_get_autocommit(connection->db)
                     ? -REFUSAL_STORE_DAMAGED /* an error ended the transaction */
                     : statement_run(connection, STATEMENT_COMMIT, "");

    if (result < 0)
        transaction_abort(store, connection);
    else
        lock_release(store->lock_fd);
    return result;
}

int snapshot_begin(struct connection *connection)
{
    return connection_exec(connection, "BEGIN");
}

void snapshot_end(struct connection *connection)
{
    connection_rollback(connection); /* it only read: there is nothing that could be lost */
}

int store_explain(const struct store *store, const struct connection *connection, int result,
                  struct buffer *error)
{
    const struct refusal_row *row = refusal_of(result);

    buffer_printf(error, "%s: ", store->path);
    if (!row) {
        buffer_puts(error, strerrordesc_np(-result));
        return result;
    }
    if (row->refusal == REFUSAL_READ_ONLY) {
        buffer_puts(error, "cannot be written by this user, or its file system is read-only");
        return -row->error;
    }
    buffer_puts(error, row->sentence);
    const char *words = connection_message(connection, result);
    if (row->refusal == REFUSAL_STORE_DAMAGED && words != row->sentence)
        buffer_printf(error, " (%s)", words);
    buffer_printf(error, "; %s", row->remedy);
    return -row->error;
}
