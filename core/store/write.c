/* The changes of a store: see the header. */
#include "core/store/write.h"

#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>

int write_image(struct connection *connection, int64_t row, struct write_image *out)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_IMAGE_STATE);

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "i", row);
    if (result == 0)
        result = statement_step(connection, use);
    if (result <= 0)
        return result < 0 ? result : -ENOENT;
    out->row = row;
    out->owner = sqlite3_column_int64(use, 0);
    (void)snprintf(out->id, sizeof(out->id), "%s", statement_text(use, 1));
    out->status = (enum image_status)sqlite3_column_int(use, 2);
    out->released = sqlite3_column_int(use, 3) != 0;
    out->snapshots = (unsigned)sqlite3_column_int(use, 4);
    out->shares = sqlite3_column_int64(use, 5);
    out->confirmed_ns = sqlite3_column_int64(use, 6);
    return 0;
}

int write_find_share(struct connection *connection, int64_t image, const char *pin, int64_t *row,
                     int64_t *created_ns)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_SHARE_ROW);

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "it", image, pin);
    if (result == 0)
        result = statement_step(connection, use);
    if (result == 1) {
        *row = sqlite3_column_int64(use, 0);
        *created_ns = sqlite3_column_int64(use, 1);
    }
    return result;
}

int write_has_account(struct connection *connection, const char *pin)
{
    int64_t row = 0;

    return statement_value(connection, STATEMENT_ACCOUNT_ID, &row, "t", pin);
}

int write_has_mobile(struct connection *connection, const char *mobile)
{
    int64_t row = 0;

    return statement_value(connection, STATEMENT_ACCOUNT_BY_MOBILE, &row, "t", mobile);
}

/* Carries a gained (+1) or lost (-1) share into the counters and times of everybody concerned. */
static int count_share(struct connection *connection, int64_t image, int64_t owner, const char *pin,
                       int64_t change, int64_t now)
{
    int64_t images = 0;
    int result = statement_run(connection, STATEMENT_IMAGE_SHARES, "iii", image, change, now);

    if (result == 0)
        result = statement_value(connection,
                                 change > 0 ? STATEMENT_RECIPIENT_GAIN : STATEMENT_RECIPIENT_LOSE,
                                 &images, "iti", owner, pin, now);
    if (result <= 0)
        return result < 0 ? result : -REFUSAL_STORE_DAMAGED;

    /* The first share between two accounts makes a directory on either side, the last removes it.
     */
    int64_t edge = images == (change > 0 ? 1 : 0);
    result = statement_run(connection, STATEMENT_ACCOUNT_RECEIVED, "tiii", pin, change, now, edge);
    if (result == 0 && edge)
        result = statement_run(connection, STATEMENT_ACCOUNT_RECIPIENTS, "ii", owner, now);
    return result;
}

int write_share(struct connection *connection, int64_t image, int64_t owner, const char *pin,
                int64_t now, int64_t *row)
{
    int result = statement_run(connection, STATEMENT_SHARE_ADD, "iti", image, pin, now);

    if (result < 0)
        return result;
    *row = sqlite3_last_insert_rowid(connection->db);
    return count_share(connection, image, owner, pin, 1, now);
}

int write_cancel(struct connection *connection, int64_t row, int64_t image, int64_t owner,
                 const char *pin, int64_t now)
{
    int result = statement_run(connection, STATEMENT_SHARE_REMOVE, "i", row);

    return result < 0 ? result : count_share(connection, image, owner, pin, -1, now);
}

int write_refusal(struct connection *connection, int64_t account, int64_t image, int64_t now,
                  const char *action, const char *name, const char *code)
{
    return statement_run(connection, STATEMENT_REFUSAL_SET, "iiittt", account, image, now, action,
                         name, code);
}

int write_event(struct connection *connection, int64_t account, int64_t now, const char *line)
{
    int64_t start = 0;
    int result = statement_value(connection, STATEMENT_EVENT_SPACE, &start, "ii", account,
                                 (int64_t)strlen(line));

    if (result <= 0)
        return result < 0 ? result : -REFUSAL_STORE_DAMAGED;
    return statement_run(connection, STATEMENT_EVENT_ADD, "iiit", account, start, now, line);
}

int write_part_begin(struct connection *connection)
{
    return statement_run(connection, STATEMENT_SAVEPOINT, "");
}

int write_part_end(struct connection *connection, int result)
{
    int undone = result < 0 ? statement_run(connection, STATEMENT_ROLLBACK_TO, "") : 0;
    int released = statement_run(connection, STATEMENT_RELEASE, "");

    if (undone == 0 && released == 0)
        return result;
    /* Half of it may be left: nothing of the transaction must be. */
    connection_rollback(connection);
    return result < 0 ? result : released;
}

int write_trim_events(struct connection *connection, int64_t account, int64_t lines)
{
    return statement_run(connection, STATEMENT_EVENTS_TRIM, "ii", account, lines - 1);
}
