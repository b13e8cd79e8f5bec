/* The accounts of a registry: see the header. */
#include "core/store/account.h"

#include "core/base/text.h"
#include "core/rules/pin.h"
#include "core/rules/refusal.h"
#include "core/store/transaction.h"

#include <errno.h>
#include <string.h>

bool account_is_mobile(const char *mobile)
{
    size_t length = strlen(mobile);

    return length >= ACCOUNT_MOBILE_MIN && length <= ACCOUNT_MOBILE_MAX &&
           strspn(mobile, "0123456789") == length;
}

int account_check_pin(const char *pin, struct buffer *error)
{
    int result = pin_check(pin);
    const struct refusal_row *row = refusal_of(result);

    if (result == 0)
        return 0;
    buffer_puts(error, "\"");
    text_escape(error, pin);
    buffer_printf(error, "\": %s", row ? row->sentence : strerrordesc_np(-result));
    return -EINVAL;
}

/* Whether the pin and the number are free: 0, or -EEXIST with ERROR set, or a negative
 * refusal/errno. */
static int check_free(struct store *store, const char *pin, const char *mobile,
                      struct buffer *error)
{
    int64_t row = 0;
    int result = statement_value(&store->connection, STATEMENT_ACCOUNT_ID, &row, "t", pin);

    if (result == 1) {
        buffer_printf(error, "%s: account \"", store->path);
        text_escape(error, pin);
        buffer_puts(error, "\" is there already");
        return -EEXIST;
    }
    if (result < 0 || !mobile)
        return result;
    result = statement_value(&store->connection, STATEMENT_ACCOUNT_BY_MOBILE, &row, "t", mobile);
    if (result == 1) {
        buffer_printf(error,
                      "%s: mobile number %s is another account's; see: imgshare account list %s",
                      store->path, mobile, store->path);
        return -EEXIST;
    }
    return result;
}

int account_add(struct store *store, const char *pin, const char *mobile, struct buffer *error)
{
    struct connection *connection = &store->connection;
    int result = transaction_begin(store, connection, NULL, NULL);

    if (result < 0)
        return store_explain(store, connection, result, error);
    result = check_free(store, pin, mobile, error);
    if (result == 0)
        result = statement_run(connection, STATEMENT_ACCOUNT_ADD, "tti", pin, mobile, text_now());
    if (result < 0 && error->length == 0)
        result = store_explain(store, connection, result, error);
    if (result < 0) {
        transaction_abort(store, connection);
        return result;
    }
    result = transaction_commit(store, connection);
    return result < 0 ? store_explain(store, connection, result, error) : 0;
}

int account_list(struct store *store, account_visit visit, void *context, struct buffer *error)
{
    struct connection *connection = &store->connection;
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_ACCOUNTS);

    if (!use)
        return store_explain(store, connection, statement_error(connection), error);
    int result = statement_bind(use, "i", (int64_t)0);
    while (result >= 0 && (result = statement_step(connection, use)) == 1) {
        struct account_entry entry = {
            .row = sqlite3_column_int64(use, 0),
            .pin = statement_text(use, 1),
            .mobile = statement_text(use, 2),
            .images = sqlite3_column_int64(use, 3),
            .received = sqlite3_column_int64(use, 4),
        };
        result = visit(&entry, context);
        if (result < 0)
            return result;
    }
    return result < 0 ? store_explain(store, connection, result, error) : 0;
}
