/* Import: the stage against itself and against the registry. See import_stage.h.
 *
 * No lock is held: what can change until the images are moved is checked again there (accounts and
 * images never go away, and an image never changes its owner). */
#include "core/store/import_stage.h"

#include <errno.h>

/* Runs SQL; its first row, if there is one, is a fault: columns file and places come first. Returns
 * 1 with *OUT at that row and FILE:LINE:COLUMN of place WHICH in the error, 0 where there is none,
 * or a negative errno. */
static int find_fault(struct import *import, const char *sql, enum stage_place which,
                      sqlite3_stmt **out)
{
    int result = query_open(&import->connection, sql, out);

    if (result == 0)
        result = statement_step(&import->connection, *out);
    if (result < 0)
        return import_stage_failed(import, result);
    if (result == 1) {
        struct stage_spot spot = import_spot_of(*out, 1, which);
        (void)import_fault(import, (size_t)sqlite3_column_int64(*out, 0), &spot);
    }
    return result;
}

static int run(struct import *import, const char *sql)
{
    int result = query_run(&import->connection, sql, "");

    return result < 0 ? import_stage_failed(import, result) : 0;
}

/* Whether SQL gives a row that is not 0: 1 or 0, or a negative errno. */
static int ask(struct import *import, const char *sql, int64_t *value)
{
    *value = 0;
    int result = query_value(&import->connection, sql, value, "");

    return result < 0 ? import_stage_failed(import, result) : *value != 0;
}

/* Ids that are in a file twice. The index is also what finds the images that are known, and those
 * that are in several files. */
static int check_twice(struct import *import)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    int rc = sqlite3_exec(import->connection.db,
                          "CREATE UNIQUE INDEX staging.image_by_id ON image (image_id, file)", NULL,
                          NULL, NULL);

    if (rc == SQLITE_OK)
        return 0;
    if ((rc & 0xff) != SQLITE_CONSTRAINT)
        return import_stage_failed(import, connection_error(&import->connection, rc));
    int result = find_fault(import,
                            "SELECT second.file, second.places, first.places, second.image_id"
                            " FROM (SELECT image_id, file, min(pos) AS pos FROM staging.image"
                            "       GROUP BY image_id, file HAVING count(*) > 1) twice"
                            " JOIN staging.image second ON second.image_id = twice.image_id"
                            "  AND second.file = twice.file AND second.pos > twice.pos"
                            " JOIN staging.image first ON first.pos = twice.pos"
                            " ORDER BY second.pos LIMIT 1",
                            STAGE_PLACE_ID, &query);
    if (result != 1)
        return result < 0 ? result : import_stage_failed(import, -EIO);
    struct stage_spot spot = import_spot_of(query, 2, STAGE_PLACE_ID);
    buffer_puts(import->error, "imageId ");
    import_quote(import, statement_text(query, 3));
    buffer_printf(import->error, " is in this file already, at %u:%u", spot.line, spot.column);
    return -EINVAL;
}

static int check_accounts(struct import *import)
{
    CLEANUP_QUERY sqlite3_stmt *unknown = NULL;
    CLEANUP_QUERY sqlite3_stmt *mobile = NULL;
    int result = run(import, "UPDATE staging.account SET row = (SELECT id FROM main.account known"
                             " WHERE known.pin = staging.account.pin)");

    if (result == 0 && import->options->known_accounts_only) {
        result = find_fault(import,
                            "SELECT file, places, pin FROM staging.account WHERE row IS NULL"
                            " ORDER BY id LIMIT 1",
                            STAGE_PLACE_RECORD, &unknown);
        if (result == 1) {
            buffer_puts(import->error, "no account ");
            import_quote(import, statement_text(unknown, 2));
            buffer_printf(import->error, " in %s", import->store->path);
            return -EINVAL;
        }
    }
    if (result < 0)
        return result;
    result = find_fault(import,
                        "SELECT a.file, a.places, a.mobile FROM staging.account a"
                        " WHERE a.mobile IS NOT NULL AND ("
                        "  EXISTS (SELECT 1 FROM main.account m"
                        "          WHERE m.mobile = a.mobile AND m.pin <> a.pin)"
                        "  OR a.mobile IN (SELECT mobile FROM staging.account"
                        "                  GROUP BY mobile HAVING count(*) > 1))"
                        " ORDER BY a.id DESC LIMIT 1",
                        STAGE_PLACE_RECORD, &mobile);
    if (result != 1)
        return result;
    buffer_printf(import->error, "mobile number %s is another account's",
                  statement_text(mobile, 2));
    return -EINVAL;
}

/* Notes which images the registry has. */
static int find_known(struct import *import)
{
    int64_t any = 0;
    int result = ask(import, "SELECT EXISTS (SELECT 1 FROM main.image)", &any);

    if (result <= 0)
        return result;
    /* Both indexes are read in the order of ids, whatever the order of the file. */
    result = run(import, "INSERT INTO staging.known (pos, row)"
                         " SELECT i.pos, m.id FROM staging.image i INDEXED BY image_by_id"
                         " CROSS JOIN main.image m ON m.image_id = i.image_id ORDER BY i.pos");
    import->known = result == 0 ? sqlite3_changes64(import->connection.db) : 0;
    return result;
}

/* Says that the image in COLUMN is another account's, the one in the column behind it. */
static int fault_owner(struct import *import, sqlite3_stmt *query, int column)
{
    buffer_puts(import->error, "image ");
    import_quote(import, statement_text(query, column));
    buffer_puts(import->error, " is owned by another account, ");
    import_quote(import, statement_text(query, column + 1));
    return -EINVAL;
}

static int check_known(struct import *import)
{
    CLEANUP_QUERY sqlite3_stmt *other = NULL;
    CLEANUP_QUERY sqlite3_stmt *released = NULL;
    int result = find_fault(import,
                            "SELECT i.file, i.places, i.image_id, o.pin FROM staging.known k"
                            " CROSS JOIN staging.image i ON i.pos = k.pos"
                            " CROSS JOIN main.image m ON m.id = k.row"
                            " CROSS JOIN staging.account a ON a.id = i.owner"
                            " CROSS JOIN main.account o ON o.id = m.owner"
                            " WHERE a.row IS NOT m.owner ORDER BY k.pos LIMIT 1",
                            STAGE_PLACE_OWNER, &other);

    if (result == 1)
        return fault_owner(import, other, 2);
    if (result == 0)
        result = find_fault(import,
                            "SELECT i.file, i.places, i.image_id, m.shares FROM staging.known k"
                            " CROSS JOIN staging.image i ON i.pos = k.pos"
                            " CROSS JOIN main.image m ON m.id = k.row"
                            " WHERE i.released AND m.shares > 0 ORDER BY k.pos LIMIT 1",
                            STAGE_PLACE_RECORD, &released);
    if (result != 1)
        return result;
    buffer_puts(import->error, "image ");
    import_quote(import, statement_text(released, 2));
    buffer_printf(import->error,
                  " is released to everyone here, but shared with %lld accounts in %s;"
                  " cancel those shares first",
                  (long long)sqlite3_column_int64(released, 3), import->store->path);
    return -EINVAL;
}

/* An image may be in several files, and the later ones update it; but they must agree. */
static int check_between_files(struct import *import)
{
    CLEANUP_QUERY sqlite3_stmt *other = NULL;
    CLEANUP_QUERY sqlite3_stmt *released = NULL;
    int result = find_fault(import,
                            "SELECT j.file, j.places, j.image_id, o.pin FROM staging.image j"
                            " CROSS JOIN staging.image i INDEXED BY image_by_id"
                            "  ON i.image_id = j.image_id AND i.file < j.file"
                            " CROSS JOIN staging.account o ON o.id = i.owner"
                            " WHERE i.owner <> j.owner ORDER BY j.pos LIMIT 1",
                            STAGE_PLACE_OWNER, &other);

    if (result == 1)
        return fault_owner(import, other, 2);
    if (result == 0)
        result = find_fault(import,
                            "SELECT j.file, j.places, j.image_id FROM staging.image j"
                            " CROSS JOIN staging.image i INDEXED BY image_by_id"
                            "  ON i.image_id = j.image_id AND i.file < j.file"
                            " WHERE j.released AND i.pins > 0 ORDER BY j.pos LIMIT 1",
                            STAGE_PLACE_RECORD, &released);
    if (result != 1)
        return result;
    buffer_puts(import->error, "image ");
    import_quote(import, statement_text(released, 2));
    buffer_puts(import->error, " is released to everyone here, but has pins in a file before");
    return -EINVAL;
}

/* A lower limit than the registry's must hold for what is there. */
static int check_settings(struct import *import)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    int64_t limit = 0;
    enum snapshot_policy policy = SNAPSHOTS_ANY;
    int result = connection_settings(&import->connection, &limit, &policy);

    if (!import->has_settings) {
        import->limit = limit;
        import->policy = policy;
    }
    if (result < 0 || import->limit >= limit)
        return result < 0 ? import_stage_failed(import, result) : 0;
    result = query_open(&import->connection,
                        "SELECT i.image_id, count(*) FROM main.share s INDEXED BY share_by_image"
                        " CROSS JOIN main.image i ON i.id = s.image"
                        " GROUP BY s.image HAVING count(*) > ?1 LIMIT 1",
                        &query);
    if (result == 0)
        result = statement_bind(query, "i", import->limit);
    if (result == 0)
        result = statement_step(&import->connection, query);
    if (result <= 0)
        return result < 0 ? import_stage_failed(import, result) : 0;
    (void)import_fault(import, import->settings_file, &import->settings_spot);
    buffer_printf(import->error, "limit %lld is too low for %s: image ", (long long)import->limit,
                  import->store->path);
    import_quote(import, statement_text(query, 0));
    buffer_printf(import->error, " is shared with %lld accounts",
                  (long long)sqlite3_column_int64(query, 1));
    return -EINVAL;
}

/* Shares in the registry and in all files up to its own, of an image with pins; each counted once.
 * The bound, which counts some twice, spares most images the exact figure. */
static const char limit_sql[] =
    "SELECT file, places, image_id, total FROM ("
    " SELECT i.pos, i.file, i.places, i.image_id, ("
    "  SELECT count(*) FROM ("
    "   SELECT s.account FROM staging.image j INDEXED BY image_by_id"
    "    CROSS JOIN staging.share s ON s.pos = j.pos"
    "    WHERE j.image_id = i.image_id AND j.file <= i.file"
    "   UNION SELECT a.id FROM staging.known k CROSS JOIN main.share m ON m.image = k.row"
    "    CROSS JOIN staging.account a ON a.pin = m.pin WHERE k.pos = i.pos"
    "  )) + ("
    "   SELECT count(*) FROM staging.known k CROSS JOIN main.share m ON m.image = k.row"
    "    WHERE k.pos = i.pos AND NOT EXISTS"
    "     (SELECT 1 FROM staging.account a WHERE a.pin = m.pin)"
    "  ) AS total"
    " FROM staging.image i"
    " WHERE i.pins > 0 AND coalesce((SELECT m.shares FROM staging.known k"
    "   CROSS JOIN main.image m ON m.id = k.row WHERE k.pos = i.pos), 0) + "
    "  (SELECT sum(j.pins) FROM staging.image j INDEXED BY image_by_id"
    "   WHERE j.image_id = i.image_id) > ?1"
    ") WHERE total > ?1 ORDER BY pos LIMIT 1";

static int check_limit(struct import *import)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    int result = query_open(&import->connection, limit_sql, &query);

    if (result == 0)
        result = statement_bind(query, "i", import->limit);
    if (result == 0)
        result = statement_step(&import->connection, query);
    if (result <= 0)
        return result < 0 ? import_stage_failed(import, result) : 0;
    struct stage_spot spot = import_spot_of(query, 1, STAGE_PLACE_PINS);
    (void)import_fault(import, (size_t)sqlite3_column_int64(query, 0), &spot);
    buffer_puts(import->error, "image ");
    import_quote(import, statement_text(query, 2));
    buffer_printf(import->error, " would be shared with %lld accounts; the limit is %lld",
                  (long long)sqlite3_column_int64(query, 3), (long long)import->limit);
    return -EINVAL;
}

int import_check(struct import *import)
{
    int result = check_twice(import);

    if (result == 0)
        result = check_accounts(import);
    if (result == 0)
        result = check_settings(import);
    if (result == 0)
        result = find_known(import);
    if (result == 0 && import->known > 0)
        result = check_known(import);
    if (result == 0 && import->options->file_count > 1)
        result = check_between_files(import);
    if (result == 0 && import->shares > 0)
        result = check_limit(import);
    return result;
}
