/* The schema and its upgrade steps: see the header. */
#include "core/store/schema.h"

#include "core/store/connection.h"
#include "core/store/schema_match.h"

#include <errno.h>
#include <string.h>

/*
 * Step N (from 1) brings a file of version N-1 to version N. A step that was released is never
 * changed; what comes later is a new step.
 *
 * Row ids that an inode number is made of are AUTOINCREMENT: never used again. Times are
 * nanoseconds since the epoch. A column *_ns of account, image or recipient is the mtime of the
 * directory named in its comment; it changes in the transaction that changes the membership, always
 * upwards.
 */
static const char *const steps[] = {
    "CREATE TABLE setting ("
    "  name TEXT PRIMARY KEY," /* limit, snapshots; of a replica: source, pin, ... */
    "  value TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE account ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  pin TEXT NOT NULL UNIQUE,"
    "  mobile TEXT UNIQUE,"
    "  images INTEGER NOT NULL DEFAULT 0,"    /* counter: images that it owns */
    "  received INTEGER NOT NULL DEFAULT 0,"  /* counter: images shared with it */
    "  private_ns INTEGER NOT NULL,"          /* private/ */
    "  names_ns INTEGER NOT NULL,"            /* by-name/private/ */
    "  received_ns INTEGER NOT NULL,"         /* shared/ */
    "  owners_ns INTEGER NOT NULL,"           /* by-name/shared/ */
    "  recipients_ns INTEGER NOT NULL,"       /* by-account/ */
    "  events_end INTEGER NOT NULL DEFAULT 0" /* where the next line of events begins, bytes */
    ") STRICT;"

    "CREATE TABLE image ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  owner INTEGER NOT NULL REFERENCES account(id),"
    "  image_id TEXT NOT NULL UNIQUE,"
    "  name TEXT NOT NULL,"
    "  status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3)," /* enum image_status */
    "  released INTEGER NOT NULL CHECK (released IN (0, 1)),"
    "  snapshots INTEGER NOT NULL,"              /* bits of enum image_snapshots */
    "  shares INTEGER NOT NULL DEFAULT 0,"       /* counter: accounts that it is shared with */
    "  shares_ns INTEGER NOT NULL,"              /* ID/shares/ */
    "  added_ns INTEGER NOT NULL,"               /* ID/, whose members never change */
    "  changed_ns INTEGER NOT NULL,"             /* its attributes */
    "  confirmed_ns INTEGER NOT NULL DEFAULT 0," /* replica: when its shares were last confirmed */
    "  share_limit INTEGER NOT NULL DEFAULT 0,"  /* replica: accounts at most, 0 = unknown */
    "  record TEXT NOT NULL"                     /* JSON, the whole record as the source has it */
    ") STRICT;"
    "CREATE INDEX image_by_owner ON image (owner, id, image_id, added_ns);"
    "CREATE INDEX image_by_name ON image (owner, name);"

    "CREATE TABLE share ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  image INTEGER NOT NULL REFERENCES image(id),"
    "  pin TEXT NOT NULL REFERENCES account(pin),"
    "  created_ns INTEGER NOT NULL,"
    "  UNIQUE (image, pin)"
    ") STRICT;"
    "CREATE INDEX share_by_image ON share (image);"
    "CREATE INDEX share_by_pin ON share (pin, image);"
    /* Pins that no file name can be: few or none, so that naming them costs nothing. */
    "CREATE INDEX share_unlistable ON share (image)"
    "  WHERE instr(pin, '/') > 0 OR pin IN ('', '.', '..') OR length(CAST(pin AS BLOB)) > 255;"

    /* Who can use images of whom: by-account/PIN seen by the owner, by-name/shared/OWNER seen by
     * the recipient. A row stays when its counter falls to 0, so that its inode number comes back.
     */
    "CREATE TABLE recipient ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  owner INTEGER NOT NULL REFERENCES account(id),"
    "  pin TEXT NOT NULL REFERENCES account(pin),"
    "  images INTEGER NOT NULL,"     /* counter: images of owner shared with pin */
    "  changed_ns INTEGER NOT NULL," /* both directories */
    "  UNIQUE (owner, pin)"
    ") STRICT;"
    "CREATE INDEX recipient_by_owner ON recipient (owner);"
    "CREATE INDEX recipient_by_pin ON recipient (pin);"

    "CREATE TABLE refusal (" /* the last refused change of an image */
    "  account INTEGER NOT NULL REFERENCES account(id),"
    "  image INTEGER NOT NULL REFERENCES image(id),"
    "  at_ns INTEGER NOT NULL,"
    "  action TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  code TEXT NOT NULL," /* of the refusal table */
    "  PRIMARY KEY (account, image)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX refusal_by_image ON refusal (image);" /* images of a replica are removed */

    /* Replica: changes that were sent. A row of an unknown outcome blocks its pin; one that was
     * made stays until the cloud's list agrees, which may lag. */
    "CREATE TABLE journal ("
    "  id INTEGER PRIMARY KEY,"
    "  image INTEGER NOT NULL REFERENCES image(id),"
    "  pin TEXT NOT NULL,"
    "  cancel INTEGER NOT NULL CHECK (cancel IN (0, 1)),"
    "  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2)," /* enum journal_state */
    "  at_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX journal_by_image ON journal (image);"
    "CREATE INDEX journal_by_state ON journal (state);"

    "CREATE TABLE event (" /* the file events of an account */
    "  account INTEGER NOT NULL REFERENCES account(id),"
    "  start INTEGER NOT NULL," /* byte offset of the line in the account's log */
    "  at_ns INTEGER NOT NULL,"
    "  line TEXT NOT NULL," /* with its newline */
    "  PRIMARY KEY (account, start)"
    ") STRICT, WITHOUT ROWID;"

    /* What other mounts must tell their kernel. The newest row is never removed, so that ids rise.
     */
    "CREATE TABLE feed ("
    "  id INTEGER PRIMARY KEY,"
    "  at_ns INTEGER NOT NULL,"
    "  writer INTEGER NOT NULL," /* the mount that wrote it, 0 for imgshare */
    "  kind INTEGER NOT NULL,"   /* enum feed_kind */
    "  first INTEGER NOT NULL,"  /* image rows */
    "  last INTEGER NOT NULL,"
    "  pin TEXT"
    ") STRICT;",
};

#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

int schema_version(void)
{
    return STEPS;
}

/* Reads an integer pragma. Returns 0 or an SQLite error code. */
static int pragma_int(sqlite3 *db, const char *sql, int *value)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW)
        *value = sqlite3_column_int(statement, 0);
    int final = sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : final ? final : rc;
}

/* Carries out STEP, in a transaction that a failure leaves open. Nothing is done where another
 * program has been faster. */
static int run_step(sqlite3 *db, int step)
{
    CLEANUP_BUFFER struct buffer sql = BUFFER_INIT(1 << 16);
    int version = 0;

    buffer_puts(&sql, steps[step]);
    buffer_printf(&sql, "PRAGMA user_version = %d;", step + 1);
    buffer_printf(&sql, "PRAGMA application_id = %d; COMMIT;", SCHEMA_APPLICATION_ID);
    if (buffer_failed(&sql))
        return SQLITE_NOMEM;
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = pragma_int(db, "PRAGMA user_version", &version);
    if (rc != SQLITE_OK)
        return rc;
    return sqlite3_exec(db, version > step ? "COMMIT" : buffer_text(&sql), NULL, NULL, NULL);
}

static int damaged(sqlite3 *db, int rc, const char *path, struct buffer *error)
{
    if (rc == SQLITE_NOTADB) {
        buffer_printf(error, "%s: not a registry: it is no SQLite file", path);
        return -EINVAL;
    }
    buffer_printf(error, "%s: %s", path, connection_words(db, rc));
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
        buffer_puts(error, "; restore a backup");
        return -EIO;
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_FULL:
        buffer_puts(error, "; make room there");
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

/* Carries out the steps that a file of VERSION has not seen. */
static int run_steps(sqlite3 *db, int version, const char *path, struct buffer *error)
{
    for (; version < STEPS; version++) {
        int rc = run_step(db, version);
        if (rc != SQLITE_OK) {
            int result = damaged(db, rc, path, error); /* a rollback would clear the message */
            if (!sqlite3_get_autocommit(db))
                (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return result;
        }
    }
    return 0;
}

/* Carries out in a database of its own the steps that a file of VERSION has seen, and compares.
 * Returns 0, or a negative errno with ERROR set. */
static int check_strangers(sqlite3 *db, int version, const char *path, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer what = BUFFER_INIT(4096);
    sqlite3 *model = NULL;
    int rc = sqlite3_open(":memory:", &model);

    for (int step = 0; step < version && rc == SQLITE_OK; step++)
        rc = run_step(model, step);
    if (rc == SQLITE_OK)
        rc = schema_find_stranger(db, model, &what);
    (void)sqlite3_close(model);
    if (rc == SQLITE_ROW)
        buffer_printf(error,
                      "%s: not as imgshare makes it: its schema holds another %s; nothing in it is "
                      "carried out",
                      path, buffer_text(&what));
    return rc == SQLITE_ROW ? -EINVAL : rc == SQLITE_DONE ? 0 : damaged(db, rc, path, error);
}

/* A schema that says the right version but lacks a column is damaged: every column that the
 * statements use is asked for once. */
static int check_tables(sqlite3 *db)
{
    static const char *const probes[] = {
        "SELECT name, value FROM setting LIMIT 1",
        "SELECT id, pin, mobile, images, received, private_ns, names_ns, received_ns, owners_ns,"
        " recipients_ns, events_end FROM account LIMIT 1",
        "SELECT id, owner, image_id, name, status, released, snapshots, shares, shares_ns, "
        "added_ns,"
        " changed_ns, confirmed_ns, share_limit, record FROM image LIMIT 1",
        "SELECT id, image, pin, created_ns FROM share LIMIT 1",
        "SELECT id, owner, pin, images, changed_ns FROM recipient LIMIT 1",
        "SELECT account, image, at_ns, action, name, code FROM refusal LIMIT 1",
        "SELECT id, image, pin, cancel, state, at_ns FROM journal LIMIT 1",
        "SELECT account, start, at_ns, line FROM event LIMIT 1",
        "SELECT id, at_ns, writer, kind, first, last, pin FROM feed LIMIT 1",
    };

    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        int rc = sqlite3_exec(db, probes[i], NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

int schema_check(sqlite3 *db, const char *path, bool writable, struct buffer *error)
{
    int application = 0;
    int version = 0;
    int rc = pragma_int(db, "PRAGMA application_id", &application);

    if (rc == SQLITE_OK)
        rc = pragma_int(db, "PRAGMA user_version", &version);
    if (rc != SQLITE_OK)
        return damaged(db, rc, path, error);
    if (application != SCHEMA_APPLICATION_ID) {
        buffer_printf(error, "%s: not a registry: an SQLite file of another program", path);
        return -EINVAL;
    }
    if (version > STEPS) {
        buffer_printf(error,
                      "%s: written by a newer imgshare (schema %d, this program knows %d); "
                      "use that version",
                      path, version, STEPS);
        return -EINVAL;
    }
    if (version < STEPS && !writable) {
        buffer_printf(error, "%s: schema %d must be brought to %d, but the file cannot be written",
                      path, version, STEPS);
        return -EROFS;
    }
    if (version < 0) {
        buffer_printf(error, "%s: not a registry: its schema is %d", path, version);
        return -EINVAL;
    }
    int result = check_strangers(db, version, path, error);
    if (result == 0)
        result = run_steps(db, version, path, error);
    if (result < 0)
        return result;
    rc = check_tables(db);
    return rc == SQLITE_OK ? 0 : damaged(db, rc, path, error);
}

int schema_create(sqlite3 *db, const char *path, struct buffer *error)
{
    return run_steps(db, 0, path, error);
}
