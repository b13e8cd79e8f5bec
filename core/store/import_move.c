/* Import: what a step moves. See import_move.h.
 *
 * In UPDATE ... FROM the + keeps SQLite from looking up the step's small table for every row of a
 * large one, instead of the other way round. */
#include "core/store/import_move.h"

#include "core/base/text.h"
#include "core/store/write.h"

#include <errno.h>

/* Another program changed the registry since the stage was checked. */
static int overtaken(struct move *move, const char *what)
{
    buffer_printf(move->import->error, "%s: changed while the files were read: %s",
                  move->import->store->path, what);
    return -EAGAIN;
}

int move_settings(struct move *move)
{
    struct import *import = move->import;
    CLEANUP_BUFFER struct buffer number = BUFFER_INIT(32);
    int64_t limit = 0;
    int64_t row = 0;
    enum snapshot_policy policy = SNAPSHOTS_ANY;
    int result = connection_settings(move->connection, &limit, &policy);

    if (result < 0 || !import->has_settings || (limit == import->limit && policy == import->policy))
        return result;
    if (import->limit < limit) {
        result = query_value(move->connection,
                             "SELECT image FROM main.share INDEXED BY share_by_image GROUP BY image"
                             " HAVING count(*) > ?1 LIMIT 1",
                             &row, "i", import->limit);
        if (result != 0)
            return result < 0 ? result : overtaken(move, "an image has more shares");
    }
    buffer_printf(&number, "%lld", (long long)import->limit);
    result =
        statement_run(move->connection, STATEMENT_SETTING_SET, "tt", "limit", buffer_text(&number));
    if (result == 0)
        result = statement_run(move->connection, STATEMENT_SETTING_SET, "tt", "snapshots",
                               rules_policy_name(import->policy));
    return result;
}

int move_accounts(struct move *move, int64_t after, int64_t until)
{
    struct connection *connection = move->connection;
    int64_t taken = 0;
    int result = query_value(connection,
                             "SELECT 1 FROM staging.account s JOIN main.account m"
                             " ON m.mobile = s.mobile AND m.pin <> s.pin"
                             " WHERE s.id > ?1 AND s.id <= ?2 LIMIT 1",
                             &taken, "ii", after, until);

    if (result != 0)
        return result < 0 ? result : overtaken(move, "a mobile number is another account's");
    result = query_run(connection,
                       "INSERT INTO main.account (pin, mobile, private_ns, names_ns, received_ns,"
                       " owners_ns, recipients_ns) SELECT pin, mobile, ?3, ?3, ?3, ?3, ?3"
                       " FROM staging.account WHERE id > ?1 AND id <= ?2 AND row IS NULL"
                       " ORDER BY id ON CONFLICT (pin) DO NOTHING",
                       "iii", after, until, move->now);
    if (result < 0)
        return result;
    move->done.accounts += sqlite3_changes64(connection->db);
    result = query_run(connection,
                       "UPDATE staging.account SET row = (SELECT m.id FROM main.account m"
                       " WHERE m.pin = staging.account.pin)"
                       " WHERE id > ?1 AND id <= ?2 AND row IS NULL",
                       "ii", after, until);
    if (result == 0)
        result = query_run(connection,
                           "UPDATE main.account SET mobile = s.mobile FROM staging.account s"
                           " WHERE s.id > ?1 AND s.id <= ?2 AND s.mobile IS NOT NULL"
                           " AND main.account.id = +s.row AND main.account.mobile IS NOT s.mobile",
                           "ii", after, until);
    return result;
}

/* Images of positions LO+1 to HI that the registry does not have; *FIRST and *LAST are their rows,
 * *FIRST above *LAST where there are none. */
static int add_images(struct move *move, int64_t lo, int64_t hi, int64_t *first, int64_t *last)
{
    sqlite3 *db = move->connection->db;
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    int result = query_open(
        move->connection,
        "INSERT INTO main.image (owner, image_id, name, status, released, snapshots, shares,"
        " shares_ns, added_ns, changed_ns, record)"
        " SELECT a.row, i.image_id, i.name, i.status, i.released, i.snapshots, i.pins,"
        " ?3, ?3, ?3, i.record"
        " FROM staging.image i CROSS JOIN staging.account a ON a.id = i.owner"
        " WHERE i.pos > ?1 AND i.pos <= ?2"
        " AND NOT EXISTS (SELECT 1 FROM staging.known k WHERE k.pos = i.pos) ORDER BY i.pos",
        &query);

    *first = INT64_MAX;
    *last = 0;
    if (result == 0)
        result = statement_bind(query, "iii", lo, hi, move->now);
    if (result < 0)
        return result;
    int rc = sqlite3_step(query);
    if (rc == SQLITE_CONSTRAINT_UNIQUE)
        return overtaken(move, "another import added one of the images");
    if (rc != SQLITE_DONE)
        return connection_error(move->connection, rc);
    int64_t count = sqlite3_changes64(db);
    if (count > 0) {
        *last = sqlite3_last_insert_rowid(db);
        *first = *last - count + 1;
    }
    move->done.added += count;
    return 0;
}

/* Images that the registry has, where the record says anything new. */
static int update_images(struct move *move, int64_t lo, int64_t hi)
{
    int64_t row = 0;
    int result = query_run(move->connection,
                           "INSERT INTO staging.changed (row, pos, owner, renamed)"
                           " SELECT m.id, i.pos, m.owner, m.name <> i.name FROM staging.known k"
                           " CROSS JOIN staging.image i ON i.pos = k.pos"
                           " CROSS JOIN main.image m ON m.id = k.row"
                           " WHERE k.pos > ?1 AND k.pos <= ?2 AND (m.record <> i.record"
                           " OR m.name <> i.name OR m.status <> i.status"
                           " OR m.released <> i.released OR m.snapshots <> i.snapshots)",
                           "ii", lo, hi);

    if (result < 0 || sqlite3_changes64(move->connection->db) == 0)
        return result;
    result = query_value(move->connection,
                         "SELECT c.row FROM staging.changed c"
                         " CROSS JOIN staging.image i ON i.pos = c.pos AND i.released"
                         " CROSS JOIN main.image m ON m.id = c.row AND m.shares > 0 LIMIT 1",
                         &row, "");
    if (result != 0)
        return result < 0 ? result : overtaken(move, "an image that is to be released was shared");
    return query_run(move->connection,
                     "UPDATE main.image SET name = i.name, status = i.status,"
                     " released = i.released, snapshots = i.snapshots, record = i.record,"
                     " changed_ns = max(?1, main.image.changed_ns + 1)"
                     " FROM staging.changed c CROSS JOIN staging.image i ON i.pos = c.pos"
                     " WHERE main.image.id = +c.row",
                     "i", move->now);
}

/* Shares that are missing. Images from row FIRST on are new and have their counter already. */
static int add_shares(struct move *move, int64_t lo, int64_t hi, int64_t first)
{
    struct connection *connection = move->connection;
    int64_t row = 0;
    int64_t limit = 0;
    enum snapshot_policy policy = SNAPSHOTS_ANY;
    int result =
        query_run(connection,
                  "INSERT INTO staging.gain (image, owner, account, pin, created_ns, fresh)"
                  " SELECT m.id, m.owner, a.row, a.pin, coalesce(s.created_ns, ?3), m.id >= ?4"
                  " FROM staging.image i CROSS JOIN main.image m ON m.image_id = i.image_id"
                  " CROSS JOIN staging.share s ON s.pos = i.pos"
                  " CROSS JOIN staging.account a ON a.id = s.account"
                  " WHERE i.pos > ?1 AND i.pos <= ?2 AND i.pins > 0"
                  " AND (m.id >= ?4 OR NOT EXISTS (SELECT 1 FROM main.share h"
                  "  WHERE h.image = m.id AND h.pin = a.pin))"
                  " ORDER BY s.pos, s.number",
                  "iiii", lo, hi, move->now, first);

    if (result < 0)
        return result;
    int64_t count = sqlite3_changes64(connection->db);
    if (count == 0)
        return 0;
    move->done.shares += count;
    result = query_run(connection,
                       "INSERT INTO main.share (image, pin, created_ns)"
                       " SELECT image, pin, created_ns FROM staging.gain ORDER BY id",
                       "");
    if (result == 0)
        result = query_run(connection,
                           "UPDATE main.image SET shares = main.image.shares + g.count,"
                           " shares_ns = max(?1, main.image.shares_ns + 1)"
                           " FROM (SELECT image, count(*) AS count FROM staging.gain"
                           "  WHERE NOT fresh GROUP BY image) g WHERE main.image.id = +g.image",
                           "i", move->now);
    if (result == 0)
        result = connection_settings(connection, &limit, &policy);
    if (result < 0)
        return result;
    result = query_value(connection,
                         "SELECT m.id FROM staging.gain g CROSS JOIN main.image m"
                         " ON m.id = g.image AND m.shares > ?1 LIMIT 1",
                         &row, "i", limit);
    return result == 1 ? overtaken(move, "an image would have more shares than it may") : result;
}

/* Counters and times of those who gained images: by-account/ and by-name/shared/. */
static int count_pairs(struct move *move)
{
    static const char *const steps[] = {
        "INSERT INTO main.recipient (owner, pin, images, changed_ns)"
        " SELECT owner, pin, images, ?1 FROM staging.pair WHERE true ORDER BY id"
        " ON CONFLICT (owner, pin) DO UPDATE SET images = images + excluded.images,"
        " changed_ns = max(excluded.changed_ns, changed_ns + 1)",

        "UPDATE main.account SET received = main.account.received + p.images,"
        " received_ns = max(?1, main.account.received_ns + 1),"
        " owners_ns = iif(p.edge, max(?1, main.account.owners_ns + 1), main.account.owners_ns)"
        " FROM (SELECT account, sum(images) AS images, max(edge) AS edge FROM staging.pair"
        "  GROUP BY account) p WHERE main.account.id = +p.account",

        ("UPDATE main.account SET recipients_ns = max(?1, recipients_ns + 1)"
         " WHERE id IN (SELECT owner FROM staging.pair WHERE edge)"),
    };

    int result = query_run(move->connection,
                           "INSERT INTO staging.pair (owner, account, pin, images, edge)"
                           " SELECT g.owner, g.account, g.pin, count(*), NOT EXISTS"
                           "  (SELECT 1 FROM main.recipient r"
                           "   WHERE r.owner = g.owner AND r.pin = g.pin AND r.images > 0)"
                           " FROM staging.gain g GROUP BY g.owner, g.account ORDER BY min(g.id)",
                           "");

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && result == 0; i++)
        result = query_run(move->connection, steps[i], "i", move->now);
    return result;
}

/* Counters and times of the owners: private/ and by-name/private/, and of by-name/shared/OWNER
 * where an image was renamed. New images are of rows FIRST to LAST. */
static int count_owners(struct move *move, int64_t first, int64_t last)
{
    struct connection *connection = move->connection;
    int result = query_run(connection,
                           "INSERT INTO staging.tally (owner, added)"
                           " SELECT owner, count(*) FROM main.image NOT INDEXED"
                           " WHERE id BETWEEN ?1 AND ?2 GROUP BY owner",
                           "ii", first, last);

    if (result == 0)
        result = query_run(connection,
                           "INSERT INTO staging.tally (owner, changed, renamed)"
                           " SELECT owner, count(*), sum(renamed) FROM staging.changed WHERE true"
                           " GROUP BY owner ON CONFLICT (owner) DO UPDATE"
                           " SET changed = excluded.changed, renamed = excluded.renamed",
                           "");
    if (result == 0)
        result = query_run(connection,
                           "INSERT INTO staging.tally (owner, shares)"
                           " SELECT owner, count(*) FROM staging.gain WHERE true GROUP BY owner"
                           " ON CONFLICT (owner) DO UPDATE SET shares = excluded.shares",
                           "");
    if (result == 0)
        result = query_run(connection,
                           "UPDATE main.account SET images = main.account.images + t.added,"
                           " private_ns = iif(t.added > 0, max(?1, private_ns + 1), private_ns),"
                           " names_ns = iif(t.added + t.renamed > 0, max(?1, names_ns + 1),"
                           "  names_ns)"
                           " FROM staging.tally t WHERE main.account.id = +t.owner",
                           "i", move->now);
    if (result == 0)
        result = query_run(connection,
                           "UPDATE main.recipient SET changed_ns = max(?1, changed_ns + 1)"
                           " WHERE id IN (SELECT r.id FROM staging.changed c"
                           "  CROSS JOIN main.share s ON s.image = c.row"
                           "  CROSS JOIN main.recipient r ON r.owner = c.owner AND r.pin = s.pin"
                           "  WHERE c.renamed)",
                           "i", move->now);
    return result;
}

/* Tells the mounts: one row for the new images, and one for each run of neighbours that changed. */
static int tell_mounts(struct move *move, int64_t first, int64_t last)
{
    int result = 0;

    if (first <= last)
        result = feed_add(move->connection, move->now, 0, FEED_IMPORTED, first, last, NULL);
    if (result == 0)
        result = query_run(move->connection,
                           "INSERT INTO main.feed (at_ns, writer, kind, first, last)"
                           " SELECT ?1, 0, ?2, min(row), max(row) FROM ("
                           "  SELECT row, row - row_number() OVER (ORDER BY row) AS island FROM ("
                           "   SELECT row FROM staging.changed"
                           "   UNION SELECT image FROM staging.gain WHERE NOT fresh))"
                           " GROUP BY island ORDER BY min(row)",
                           "ii", move->now, (int64_t)FEED_IMPORTED);
    return result;
}

/* A line in the log of each owner. */
static int write_events(struct move *move)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    int result = query_open(move->connection,
                            "SELECT owner, added, changed, shares FROM staging.tally", &query);

    while (result >= 0 && (result = statement_step(move->connection, query)) == 1) {
        CLEANUP_BUFFER struct buffer line = BUFFER_INIT(EVENT_LINE_MAX);
        char extra[96];
        struct event event = {
            .at_ns = move->now,
            .action = "import",
            .extra = extra,
            .caller = &move->caller,
        };
        (void)snprintf(extra, sizeof(extra), " images=%lld new=%lld shares=%lld",
                       (long long)(sqlite3_column_int64(query, 1) + sqlite3_column_int64(query, 2)),
                       (long long)sqlite3_column_int64(query, 1),
                       (long long)sqlite3_column_int64(query, 3));
        event_format(&line, &event);
        result = buffer_failed(&line)
                     ? -ENOMEM
                     : write_event(move->connection, sqlite3_column_int64(query, 0), move->now,
                                   buffer_text(&line));
    }
    return result;
}

/* Which of the images of positions LO+1 to HI the files before have brought. */
static int find_brought(struct move *move, int64_t lo, int64_t hi)
{
    int result = query_run(move->connection,
                           "INSERT OR IGNORE INTO staging.known (pos, row)"
                           " SELECT i.pos, m.id FROM staging.image i"
                           " CROSS JOIN staging.image j INDEXED BY image_by_id"
                           "  ON j.image_id = i.image_id AND j.file < i.file"
                           " CROSS JOIN main.image m ON m.image_id = i.image_id"
                           " WHERE i.pos > ?1 AND i.pos <= ?2",
                           "ii", lo, hi);

    move->import->known += sqlite3_changes64(move->connection->db);
    return result;
}

int move_images(struct move *move, size_t file, int64_t lo, int64_t hi)
{
    struct import *import = move->import;
    int64_t first = 0;
    int64_t last = 0;
    int result = file > 0 ? find_brought(move, lo, hi) : 0;

    if (result == 0)
        result = add_images(move, lo, hi, &first, &last);
    if (result == 0 && import->known > 0)
        result = update_images(move, lo, hi);
    if (result == 0 && import->shares > 0) {
        result = add_shares(move, lo, hi, first);
        if (result == 0)
            result = count_pairs(move);
    }
    if (result == 0)
        result = count_owners(move, first, last);
    if (result == 0)
        result = tell_mounts(move, first, last);
    if (result == 0)
        result = write_events(move);
    if (result == 0)
        result = connection_exec(move->connection,
                                 "DELETE FROM staging.changed; DELETE FROM staging.gain;"
                                 "DELETE FROM staging.pair; DELETE FROM staging.tally;");
    move->done.images += hi - lo;
    move->done.updated = move->done.images - move->done.added;
    return result;
}
