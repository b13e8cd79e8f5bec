/* The change feed: see the header. */
#include "core/store/feed.h"

int feed_add(struct connection *connection, int64_t now, int64_t writer, enum feed_kind kind,
             int64_t first, int64_t last, const char *pin)
{
    return statement_run(connection, STATEMENT_FEED_ADD, "iiiiit", now, writer, (int64_t)kind,
                         first, last, pin);
}

int feed_trim(struct connection *connection, int64_t before)
{
    return statement_run(connection, STATEMENT_FEED_TRIM, "i", before);
}

int feed_newest(struct connection *connection, int64_t *id)
{
    *id = 0;
    int result = statement_value(connection, STATEMENT_FEED_NEWEST, id, "");
    return result < 0 ? result : 0;
}

int feed_oldest(struct connection *connection, int64_t *id)
{
    *id = 0;
    int result = statement_value(connection, STATEMENT_FEED_OLDEST, id, "");
    return result < 0 ? result : 0;
}

int feed_read(struct connection *connection, int64_t after, int limit, struct feed_row *rows)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_FEED_AFTER);
    int count = 0;

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "ii", after, (int64_t)limit);
    while (result >= 0 && count < limit && (result = statement_step(connection, use)) == 1) {
        struct feed_row *row = &rows[count++];
        row->id = sqlite3_column_int64(use, 0);
        row->writer = sqlite3_column_int64(use, 1);
        row->kind = (enum feed_kind)sqlite3_column_int(use, 2);
        row->first = sqlite3_column_int64(use, 3);
        row->last = sqlite3_column_int64(use, 4);
        (void)snprintf(row->pin, sizeof(row->pin), "%s", statement_text(use, 5));
    }
    return result < 0 ? result : count;
}

int feed_version(struct connection *connection, int64_t *version)
{
    int result = statement_value(connection, STATEMENT_DATA_VERSION, version, "");

    return result < 0 ? result : 0;
}

int feed_images(struct connection *connection, int64_t first, int64_t last, int limit,
                struct feed_image *images)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_FEED_IMAGES);
    int count = 0;

    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "iii", first, last, (int64_t)limit);
    while (result >= 0 && count < limit && (result = statement_step(connection, use)) == 1) {
        struct feed_image *image = &images[count++];
        image->row = sqlite3_column_int64(use, 0);
        image->owner = sqlite3_column_int64(use, 1);
        image->is_new = sqlite3_column_int(use, 2) != 0;
        (void)snprintf(image->id, sizeof(image->id), "%s", statement_text(use, 3));
    }
    return result < 0 ? result : count;
}
