/* The SQL of the prepared statements: see the header. */
#include "core/store/statements.h"

static const char *const statements[STATEMENT_COUNT] = {
    /* the account and the settings */
    [STATEMENT_ACCOUNT_BY_PIN] =
        "SELECT id, images, received, private_ns, names_ns, received_ns, owners_ns, "
        "recipients_ns, events_end FROM account WHERE pin = ?1",
    [STATEMENT_ACCOUNT_ID] = "SELECT id FROM account WHERE pin = ?1",
    [STATEMENT_ACCOUNT_BY_MOBILE] = "SELECT id FROM account WHERE mobile = ?1",
    [STATEMENT_ACCOUNT_FIRST_TWO] = "SELECT id, pin FROM account ORDER BY id LIMIT 2",
    [STATEMENT_ACCOUNTS] =
        "SELECT id, pin, mobile, images, received FROM account WHERE id > ?1 ORDER BY id",
    [STATEMENT_ACCOUNT_ADD] =
        "INSERT INTO account (pin, mobile, private_ns, names_ns, received_ns, owners_ns, "
        "recipients_ns) VALUES (?1, ?2, ?3, ?3, ?3, ?3, ?3)",
    [STATEMENT_SETTING] = "SELECT value FROM setting WHERE name = ?1",
    [STATEMENT_SETTING_SET] =
        "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE "
        "SET value = excluded.value",
    /* images as an account sees them: ?2 its row, ?3 its pin */
    [STATEMENT_IMAGE] =
        "SELECT id, owner, image_id, shares, shares_ns, added_ns, changed_ns FROM image "
        "WHERE id = ?1 AND (owner = ?2 OR EXISTS (SELECT 1 FROM share WHERE image = ?1 "
        "AND pin = ?3))",
    [STATEMENT_IMAGE_PRIVATE_BY_ID] =
        "SELECT id, owner, image_id, shares, shares_ns, added_ns, changed_ns FROM image "
        "WHERE image_id = ?1 AND owner = ?2",
    [STATEMENT_IMAGE_SHARED_BY_ID] =
        "SELECT i.id, i.owner, i.image_id, i.shares, i.shares_ns, i.added_ns, "
        "i.changed_ns FROM image i JOIN share s ON s.image = i.id AND s.pin = ?3 WHERE "
        "i.image_id = ?1 AND i.owner <> ?2",
    [STATEMENT_IMAGES_PRIVATE] =
        "SELECT id, image_id, added_ns FROM image INDEXED BY image_by_owner WHERE owner = "
        "?2 AND id > ?1 ORDER BY id",
    [STATEMENT_IMAGES_SHARED] =
        "SELECT i.id, i.image_id, i.added_ns FROM share s JOIN image i ON i.id = s.image "
        "WHERE s.pin = ?3 AND s.image > ?1 ORDER BY s.image",
    [STATEMENT_IMAGE_RECORD] =
        "SELECT i.owner, a.pin, i.image_id, i.name, i.status, i.released, i.snapshots, "
        "i.shares, i.record, i.confirmed_ns, i.share_limit FROM image i JOIN account a ON "
        "a.id = i.owner WHERE i.id = ?1 "
        "AND (i.owner = ?2 OR EXISTS (SELECT 1 FROM share WHERE image = ?1 AND pin = ?3))",
    [STATEMENT_REFUSAL] =
        "SELECT at_ns, action, name, code FROM refusal WHERE account = ?1 AND image = ?2",
    /* shares; an account sees all of its own images, and its own on others */
    [STATEMENT_SHARE] =
        "SELECT s.id, s.image, s.pin, s.created_ns FROM share s JOIN image i ON i.id = "
        "s.image WHERE s.id = ?1 AND (i.owner = ?2 OR s.pin = ?3)",
    [STATEMENT_SHARE_BY_PIN] =
        "SELECT s.id, s.image, s.pin, s.created_ns FROM share s JOIN image i ON i.id = "
        "s.image WHERE s.image = ?1 AND s.pin = ?4 AND (i.owner = ?2 OR s.pin = ?3)",
    [STATEMENT_SHARES] =
        "SELECT id, pin, created_ns FROM share INDEXED BY share_by_image WHERE image = ?1 "
        "AND id > ?2 ORDER BY id",
    /* A cross join keeps the order: from the few shares to their images, not the other way. */
    [STATEMENT_SHARES_UNLISTABLE] =
        "SELECT i.image_id, s.pin FROM share s INDEXED BY share_unlistable CROSS JOIN image i "
        "ON i.id = s.image WHERE (instr(s.pin, '/') > 0 OR s.pin IN ('', '.', '..') OR "
        "length(CAST(s.pin AS BLOB)) > 255) AND i.owner = ?1 LIMIT 100",
    /* by-account and by-name */
    [STATEMENT_RECIPIENT] =
        "SELECT r.id, r.pin, a.pin, r.changed_ns FROM recipient r JOIN account a ON a.id "
        "= r.owner WHERE r.id = ?1 AND r.images > 0 AND (r.owner = ?2 OR r.pin = ?3)",
    [STATEMENT_RECIPIENT_BY_PIN] =
        "SELECT r.id, r.pin, a.pin, r.changed_ns FROM recipient r JOIN account a ON a.id "
        "= r.owner WHERE r.owner = ?2 AND r.pin = ?1 AND r.images > 0",
    [STATEMENT_OWNER_BY_PIN] =
        "SELECT r.id, r.pin, a.pin, r.changed_ns FROM account a JOIN recipient r ON "
        "r.owner = a.id AND r.pin = ?3 WHERE a.pin = ?1 AND r.images > 0",
    [STATEMENT_RECIPIENTS] =
        "SELECT id, pin, changed_ns FROM recipient INDEXED BY recipient_by_owner WHERE "
        "owner = ?2 AND id > ?1 AND images > 0 ORDER BY id",
    [STATEMENT_OWNERS] =
        "SELECT r.id, a.pin, r.changed_ns FROM recipient r INDEXED BY recipient_by_pin "
        "JOIN account a ON a.id = r.owner WHERE r.pin = ?3 AND r.id > ?1 AND r.images > 0 "
        "ORDER BY r.id",
    [STATEMENT_RECIPIENT_IMAGES] =
        "SELECT i.id, i.image_id, s.created_ns, s.id FROM share s JOIN image i ON i.id = "
        "s.image WHERE s.pin = ?3 AND s.image > ?1 AND i.owner = ?2 ORDER BY s.image",
    [STATEMENT_NAMES] = "SELECT i.id, i.image_id, i.changed_ns, i.name FROM image i INDEXED BY "
                        "image_by_owner WHERE i.owner = ?2 AND i.id > ?1 ORDER BY i.id",
    [STATEMENT_NAMES_SHARED] =
        "SELECT i.id, i.image_id, i.changed_ns, i.name FROM share s JOIN image i ON i.id "
        "= s.image WHERE s.pin = ?3 AND s.image > ?1 AND i.owner = ?2 ORDER BY s.image",
    [STATEMENT_NAMED] =
        "SELECT id, image_id, changed_ns, name FROM image WHERE owner = ?1 AND name = ?2 "
        "ORDER BY id LIMIT 2",
    [STATEMENT_NAMED_SHARED] =
        "SELECT i.id, i.image_id, i.changed_ns, i.name FROM image i JOIN share s ON "
        "s.image = i.id AND s.pin = ?3 WHERE i.owner = ?1 AND i.name = ?2 ORDER BY i.id "
        "LIMIT 2",
    [STATEMENT_NAME_BY_ID] =
        "SELECT i.id, i.image_id, i.changed_ns, i.name FROM image i WHERE i.image_id = ?1 "
        "AND i.owner = ?2 AND (?3 IS NULL OR EXISTS (SELECT 1 FROM share WHERE image = "
        "i.id AND pin = ?3))",
    /* events and feed */
    [STATEMENT_EVENTS] =
        "SELECT start, line FROM event WHERE account = ?1 AND start >= coalesce((SELECT "
        "start FROM event WHERE account = ?1 AND start <= ?2 ORDER BY start DESC LIMIT "
        "1), 0) ORDER BY start",
    [STATEMENT_EVENTS_FIRST] = "SELECT start FROM event WHERE account = ?1 ORDER BY start LIMIT 1",
    [STATEMENT_EVENTS_LAST_TIME] =
        "SELECT at_ns FROM event WHERE account = ?1 ORDER BY start DESC LIMIT 1",
    [STATEMENT_EVENTS_TRIM] =
        "DELETE FROM event WHERE account = ?1 AND start < (SELECT start FROM event WHERE "
        "account = ?1 ORDER BY start DESC LIMIT 1 OFFSET ?2)",
    [STATEMENT_EVENT_ADD] =
        "INSERT INTO event (account, start, at_ns, line) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_EVENT_SPACE] =
        "UPDATE account SET events_end = events_end + ?2 WHERE id = ?1 RETURNING "
        "events_end - ?2",
    [STATEMENT_FEED_ADD] =
        "INSERT INTO feed (at_ns, writer, kind, first, last, pin) VALUES (?1, ?2, ?3, ?4, "
        "?5, ?6)",
    [STATEMENT_FEED_OLDEST] = "SELECT min(id) FROM feed",
    [STATEMENT_FEED_NEWEST] = "SELECT max(id) FROM feed",
    [STATEMENT_FEED_AFTER] =
        "SELECT id, writer, kind, first, last, pin FROM feed WHERE id > ?1 ORDER BY id "
        "LIMIT ?2",
    [STATEMENT_FEED_TRIM] =
        "DELETE FROM feed WHERE id < (SELECT coalesce((SELECT min(id) FROM feed WHERE "
        "at_ns >= ?1), (SELECT max(id) FROM feed)))",
    [STATEMENT_FEED_IMAGES] = "SELECT id, owner, added_ns = changed_ns, image_id FROM image "
                              "WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3",
    /* the transaction and its jobs */
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_SAVEPOINT] = "SAVEPOINT job",
    [STATEMENT_RELEASE] = "RELEASE job",
    [STATEMENT_ROLLBACK_TO] = "ROLLBACK TO job",
    /* changes */
    [STATEMENT_IMAGE_STATE] =
        "SELECT owner, image_id, status, released, snapshots, shares, confirmed_ns FROM image "
        "WHERE id = ?1",
    [STATEMENT_SHARE_ROW] = "SELECT id, created_ns FROM share WHERE image = ?1 AND pin = ?2",
    [STATEMENT_SHARE_ADD] = "INSERT INTO share (image, pin, created_ns) VALUES (?1, ?2, ?3)",
    [STATEMENT_SHARE_REMOVE] = "DELETE FROM share WHERE id = ?1",
    [STATEMENT_IMAGE_SHARES] =
        "UPDATE image SET shares = shares + ?2, shares_ns = max(?3, shares_ns + 1) WHERE "
        "id = ?1",
    [STATEMENT_RECIPIENT_GAIN] =
        "INSERT INTO recipient (owner, pin, images, changed_ns) VALUES (?1, ?2, 1, ?3) ON "
        "CONFLICT (owner, pin) DO UPDATE SET images = images + 1, changed_ns = max(?3, "
        "changed_ns + 1) RETURNING images",
    [STATEMENT_RECIPIENT_LOSE] =
        "UPDATE recipient SET images = images - 1, changed_ns = max(?3, changed_ns + 1) "
        "WHERE owner = ?1 AND pin = ?2 RETURNING images",
    [STATEMENT_ACCOUNT_RECEIVED] =
        "UPDATE account SET received = received + ?2, received_ns = max(?3, received_ns + "
        "1), owners_ns = iif(?4, max(?3, owners_ns + 1), owners_ns) WHERE pin = ?1",
    [STATEMENT_ACCOUNT_RECIPIENTS] =
        "UPDATE account SET recipients_ns = max(?2, recipients_ns + 1) WHERE id = ?1",
    [STATEMENT_REFUSAL_SET] =
        "INSERT INTO refusal (account, image, at_ns, action, name, code) VALUES (?1, ?2, "
        "?3, ?4, ?5, ?6) ON CONFLICT (account, image) DO UPDATE SET at_ns = "
        "excluded.at_ns, action = excluded.action, name = excluded.name, code = "
        "excluded.code",
    /* replicas */
    [STATEMENT_REPLICA_IMAGE] =
        "SELECT id, owner, name = ?2, record = ?3 FROM image WHERE image_id = ?1",
    [STATEMENT_REPLICA_IMAGE_ADD] =
        "INSERT INTO image (owner, image_id, name, status, released, snapshots, record, "
        "shares_ns, added_ns, changed_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8)",
    [STATEMENT_REPLICA_IMAGE_SET] =
        "UPDATE image SET name = ?2, status = ?3, released = ?4, snapshots = ?5, record = ?6, "
        "changed_ns = max(?7, changed_ns + 1) WHERE id = ?1",
    [STATEMENT_REPLICA_IMAGE_REMOVE] = "DELETE FROM image WHERE id = ?1",
    [STATEMENT_REPLICA_OWNED] =
        "UPDATE account SET images = images + ?2, private_ns = max(?3, private_ns + 1), "
        "names_ns = max(?3, names_ns + 1) WHERE id = ?1",
    [STATEMENT_REPLICA_NAMES] = "UPDATE account SET names_ns = max(?2, names_ns + 1) WHERE id = ?1",
    [STATEMENT_REPLICA_JOURNAL_DROP] = "DELETE FROM journal WHERE image = ?1",
    [STATEMENT_REPLICA_REFUSAL_DROP] = "DELETE FROM refusal WHERE image = ?1",
    [STATEMENT_REPLICA_CONFIRM] = "UPDATE image SET confirmed_ns = ?2 WHERE id = ?1",
    [STATEMENT_REPLICA_LIMIT] = "UPDATE image SET share_limit = ?2 WHERE id = ?1",
    [STATEMENT_REPLICA_STALE] =
        "SELECT id, image_id FROM image WHERE +owner = ?1 AND image_id > ?2 AND confirmed_ns < ?3 "
        "ORDER BY image_id LIMIT ?4",
    [STATEMENT_JOURNAL] =
        "SELECT id, image, cancel, state, at_ns, pin FROM journal WHERE id > ?1 ORDER BY id",
    [STATEMENT_JOURNAL_OF_IMAGE] =
        "SELECT id, image, cancel, state, at_ns, pin FROM journal WHERE image = ?2 AND id > ?1 "
        "ORDER BY id",
    [STATEMENT_JOURNAL_FIND] =
        "SELECT id, image, cancel, state, at_ns, pin FROM journal WHERE image = ?1 AND pin = ?2 "
        "AND state < 2",
    [STATEMENT_JOURNAL_UNKNOWN] = "SELECT count(*) FROM journal WHERE state = 1",
    [STATEMENT_JOURNAL_ADD] =
        "INSERT INTO journal (image, pin, cancel, state, at_ns) VALUES (?1, ?2, ?3, 0, ?4)",
    [STATEMENT_JOURNAL_SET] = "UPDATE journal SET state = ?2, at_ns = ?3 WHERE id = ?1",
    [STATEMENT_JOURNAL_REMOVE] = "DELETE FROM journal WHERE id = ?1",
    [STATEMENT_JOURNAL_FORGET] =
        "DELETE FROM journal WHERE image = ?1 AND pin = ?2 AND cancel = ?3 AND state = 2",
    [STATEMENT_JOURNAL_SUPERSEDE] =
        "DELETE FROM journal WHERE state = 2 AND id <> ?1 AND (image, pin) = "
        "(SELECT image, pin FROM journal WHERE id = ?1)",
    [STATEMENT_JOURNAL_MADE_AT] =
        "SELECT at_ns FROM journal WHERE image = ?1 AND pin = ?2 AND cancel = ?3 AND state = 2",
    [STATEMENT_DATA_VERSION] = "PRAGMA data_version",
};

const char *statement_sql(enum statement statement)
{
    return statements[statement];
}
