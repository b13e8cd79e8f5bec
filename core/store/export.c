/* Export: see the header. */
#include "core/store/export.h"

#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/account.h"
#include "core/store/import.h"
#include "core/store/json_text.h"
#include "core/store/query.h"
#include "core/store/transaction.h"

#include <errno.h>
#include <jansson.h>

/* A record, and as many pins with their times as an image may have. */
#define LINE_MAX_BYTES (IMPORT_RECORD_MAX + IMPORT_LIMIT_MAX * (size_t)1600)

struct exporter {
    struct store *store;
    export_write write;
    void *context;
    int written; /* what WRITE said last */
    struct buffer line;
};

static int write_line(struct exporter *exporter)
{
    buffer_puts(&exporter->line, "\n");
    if (buffer_failed(&exporter->line))
        return -ENOMEM;
    exporter->written =
        exporter->write(exporter->line.text, exporter->line.length, exporter->context);
    return exporter->written;
}

/* Appends TEXT as a JSON string. */
static void add_string(struct buffer *out, const char *text)
{
    json_t *string = json_string(text);
    CLEANUP_FREE char *quoted = json_dumps(string, JSON_ENCODE_ANY);

    json_decref(string);
    if (quoted)
        buffer_puts(out, quoted);
    else
        out->failed = true;
}

static int write_settings(struct exporter *exporter)
{
    int64_t limit = 0;
    enum snapshot_policy policy = SNAPSHOTS_ANY;
    int result = connection_settings(&exporter->store->connection, &limit, &policy);

    if (result < 0)
        return result;
    buffer_clear(&exporter->line);
    buffer_printf(&exporter->line, "{\"registry\":1,\"limit\":%lld,\"snapshots\":\"%s\"}",
                  (long long)limit, rules_policy_name(policy));
    return write_line(exporter);
}

static int write_account(const struct account_entry *entry, void *context)
{
    struct exporter *exporter = context;

    buffer_clear(&exporter->line);
    buffer_puts(&exporter->line, "{\"account\":");
    add_string(&exporter->line, entry->pin);
    if (entry->mobile[0]) {
        buffer_puts(&exporter->line, ",\"mobile\":");
        add_string(&exporter->line, entry->mobile);
    }
    buffer_puts(&exporter->line, "}");
    return write_line(exporter);
}

/* Appends the members of RECORD, but no ownerPin of null; and one of OWNER where there is none. */
static void add_record(struct buffer *line, const char *record, size_t length, const char *owner)
{
    struct json_item item;
    size_t position = 0;
    bool owned = false;
    const char *comma = "";

    while (json_item_next(record, length, &position, &item)) {
        if (json_item_is(&item, "ownerPin")) {
            if (item.value[0] != '"')
                continue;
            owned = true;
        }
        buffer_puts(line, comma);
        buffer_add(line, item.key - 1, item.key_length + 2);
        buffer_puts(line, ":");
        buffer_add(line, item.value, item.value_length);
        comma = ",";
    }
    if (!owned) {
        buffer_printf(line, "%s\"ownerPin\":", comma);
        add_string(line, owner);
    }
}

/* Appends pins and pinTimes of image ROW. */
static int add_shares(struct exporter *exporter, int64_t row)
{
    struct connection *connection = &exporter->store->connection;
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_SHARES);
    CLEANUP_BUFFER struct buffer times = BUFFER_INIT(LINE_MAX_BYTES);
    const char *comma = "";
    int64_t last = 0;

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "ii", row, (int64_t)0);
    buffer_puts(&exporter->line, ",\"pins\":[");
    while (result >= 0 && (result = statement_step(connection, use)) == 1) {
        char time[TEXT_TIME_SIZE];
        if (sqlite3_column_int64(use, 0) <= last)
            return -REFUSAL_STORE_DAMAGED;
        last = sqlite3_column_int64(use, 0);
        text_time(sqlite3_column_int64(use, 2), 9, time);
        buffer_puts(&exporter->line, comma);
        add_string(&exporter->line, statement_text(use, 1));
        buffer_printf(&times, "%s\"%s\"", comma, time);
        comma = ",";
    }
    buffer_puts(&exporter->line, "],\"pinTimes\":[");
    buffer_add(&exporter->line, buffer_text(&times), times.length);
    buffer_puts(&exporter->line, "]");
    return result < 0 ? result : buffer_failed(&times) ? -ENOMEM : 0;
}

static int write_images(struct exporter *exporter)
{
    struct connection *connection = &exporter->store->connection;
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    int result = query_open(connection,
                            "SELECT i.id, i.shares, a.pin, i.record, json_valid(i.record)"
                            " FROM image i NOT INDEXED"
                            " CROSS JOIN account a ON a.id = i.owner ORDER BY i.id",
                            &query);
    int64_t last = 0;

    while (result >= 0 && (result = statement_step(connection, query)) == 1) {
        const char *record = statement_text(query, 3);
        int64_t row = sqlite3_column_int64(query, 0);
        /* Pages that lead in circles would have no end, and what is no object no members. */
        if (row <= last || sqlite3_column_int(query, 4) == 0 || record[0] != '{')
            return -REFUSAL_STORE_DAMAGED;
        last = row;
        buffer_clear(&exporter->line);
        buffer_puts(&exporter->line, "{");
        add_record(&exporter->line, record, (size_t)sqlite3_column_bytes(query, 3),
                   statement_text(query, 2));
        if (sqlite3_column_int64(query, 1) > 0)
            result = add_shares(exporter, row);
        buffer_puts(&exporter->line, "}");
        if (result >= 0)
            result = write_line(exporter);
    }
    return result;
}

int export_run(struct store *store, export_write write, void *context, struct buffer *error)
{
    struct exporter exporter = {
        .store = store,
        .write = write,
        .context = context,
        .line = BUFFER_INIT(LINE_MAX_BYTES),
    };
    struct connection *connection = &store->connection;
    int result = snapshot_begin(connection);

    if (result == 0)
        result = write_settings(&exporter);
    if (result == 0)
        result = account_list(store, write_account, &exporter, error);
    if (result == 0)
        result = write_images(&exporter);
    snapshot_end(connection);
    buffer_dispose(&exporter.line);
    if (result < 0 && exporter.written == 0 && error->length == 0)
        return store_explain(store, connection, result, error);
    return result;
}
