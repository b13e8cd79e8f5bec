/* Check: see the header. */
#include "core/store/check.h"

#include "core/base/text.h"
#include "core/source/image_json.h"
#include "core/store/import.h"
#include "core/store/json_plain.h"
#include "core/store/query.h"
#include "core/store/replica.h"
#include "core/store/schema.h"
#include "core/store/transaction.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* Clocks of several machines, and one that was set back a little. */
#define FUTURE_NS (60 * 1000000000LL)

struct checker {
    struct store *store;
    struct connection *connection;
    check_report report;
    void *context;
    struct check_result *result;
    bool replica; /* of a cloud: what a record may be, and who may have an image, that decides */
};

static void add_breach(struct checker *checker, const char *text)
{
    CLEANUP_BUFFER struct buffer line = BUFFER_INIT(1 << 16);

    checker->result->breaches++;
    text_escape(&line, text);
    checker->report(buffer_text(&line), checker->context);
}

/* What SQLite says of what it could not read is a breach, too: RESULT of the call that failed. */
static void add_unreadable(struct checker *checker, int result)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(4096);

    buffer_printf(&text, "cannot be read: %s", connection_message(checker->connection, result));
    add_breach(checker, buffer_text(&text));
}

/* Runs SQL, each row of which is a breach, told by its first column. ?1, where it is used, is
 * VALUE. A statement that fails is a breach, too: what is damaged cannot be read. */
static void find_breaches(struct checker *checker, const char *sql, int64_t value)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    int result = query_open(checker->connection, sql, &query);

    if (result == 0 && sqlite3_bind_parameter_count(query) > 0)
        result = statement_bind(query, "i", value);
    while (result >= 0 && (result = statement_step(checker->connection, query)) == 1)
        add_breach(checker, statement_text(query, 0));
    if (result < 0)
        add_unreadable(checker, result);
}

/* Counters against what they count. */
static const char *const counter_sql[] = {
    "SELECT printf('image %s: counter shares is %d, but %d shares are there', image_id, shares, n)"
    " FROM (SELECT image_id, shares, (SELECT count(*) FROM share s WHERE s.image = i.id) AS n"
    "  FROM image i) WHERE shares <> n",

    "SELECT printf('account %s: counter images is %d, but it owns %d', pin, images, n)"
    " FROM (SELECT pin, images, (SELECT count(*) FROM image i WHERE i.owner = a.id) AS n"
    "  FROM account a) WHERE images <> n",

    "SELECT printf('account %s: counter received is %d, but %d images are shared with it', pin,"
    " received, n) FROM (SELECT pin, received, (SELECT count(*) FROM share s WHERE s.pin = a.pin)"
    "  AS n FROM account a) WHERE received <> n",

    "WITH pair AS (SELECT i.owner, s.pin, count(*) AS n FROM share s JOIN image i ON i.id = s.image"
    "  GROUP BY i.owner, s.pin)"
    " SELECT printf('recipient %s of %s: counter images is %d, but %d are shared',"
    "  coalesce(r.pin, p.pin), a.pin, coalesce(r.images, 0), coalesce(p.n, 0))"
    " FROM recipient r FULL JOIN pair p ON p.owner = r.owner AND p.pin = r.pin"
    " JOIN account a ON a.id = coalesce(r.owner, p.owner)"
    " WHERE coalesce(r.images, 0) <> coalesce(p.n, 0)",
};

static const char *const setting_sql[] = {
    "SELECT printf('setting limit is \"%s\", not a number from 1 to 1000000', value)"
    " FROM setting WHERE name = 'limit' AND (value <> CAST(CAST(value AS INTEGER) AS TEXT)"
    " OR CAST(value AS INTEGER) NOT BETWEEN 1 AND 1000000)",

    "SELECT printf('setting snapshots is \"%s\", not any, encrypted or none', value)"
    " FROM setting WHERE name = 'snapshots' AND value NOT IN ('any', 'encrypted', 'none')",
};

static const char *const rule_sql[] = {
    "SELECT printf('image %s: shared with its owner %s', i.image_id, s.pin) FROM share s"
    " JOIN image i ON i.id = s.image JOIN account a ON a.id = i.owner WHERE a.pin = s.pin",

    "SELECT printf('image %s: released to everyone, but shared with %s', i.image_id, s.pin)"
    " FROM share s JOIN image i ON i.id = s.image WHERE i.released",
};

/* The event log of each account is one text: each line begins where the one before ends. */
static const char *const event_sql[] = {
    "SELECT printf('account %s: the event at %d ends at %d, but %s at %d', a.pin, e.start, e.stop,"
    "  iif(e.next IS NULL, 'the log', 'the next begins'), coalesce(e.next, a.events_end))"
    " FROM (SELECT account, start, start + length(CAST(line AS BLOB)) AS stop,"
    "  lead(start) OVER (PARTITION BY account ORDER BY start) AS next FROM event) e"
    " JOIN account a ON a.id = e.account WHERE e.stop <> coalesce(e.next, a.events_end)",

    "SELECT printf('account %s: the event at %d is not one line', a.pin, e.start)"
    " FROM event e JOIN account a ON a.id = e.account"
    " WHERE instr(e.line, char(10)) <> length(e.line)",
};

static const char *const feed_sql[] = {
    "SELECT printf('feed row %d: kind %d with images %d to %d', id, kind, first, last) FROM feed"
    " WHERE kind NOT BETWEEN 1 AND 4 OR first > last OR first < 1"
    " OR last > (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'image')",
};

/* Row ids that were given stay taken. */
static const char *const sequence_sql[] = {
    "SELECT printf('table %s: row %d is above the last one given, %d', name, top, seq) FROM ("
    " SELECT 'account' AS name, (SELECT max(id) FROM account) AS top"
    " UNION ALL SELECT 'image', (SELECT max(id) FROM image)"
    " UNION ALL SELECT 'share', (SELECT max(id) FROM share)"
    " UNION ALL SELECT 'recipient', (SELECT max(id) FROM recipient))"
    " JOIN sqlite_sequence USING (name) WHERE top > seq",
};

static const char *const future_sql[] = {
    "SELECT printf('account %s: a time is in the future', pin) FROM account"
    " WHERE max(private_ns, names_ns, received_ns, owners_ns, recipients_ns) > ?1",
    "SELECT printf('image %s: a time is in the future', image_id) FROM image"
    " WHERE max(shares_ns, added_ns, changed_ns) > ?1",
    "SELECT printf('image %s: the share with %s is of the future', i.image_id, s.pin) FROM share s"
    " JOIN image i ON i.id = s.image WHERE s.created_ns > ?1",
    "SELECT printf('recipient %s of %s: its time is in the future', r.pin, a.pin) FROM recipient r"
    " JOIN account a ON a.id = r.owner WHERE r.changed_ns > ?1",
    "SELECT printf('account %s: the event at %d is of the future', a.pin, e.start) FROM event e"
    " JOIN account a ON a.id = e.account WHERE e.at_ns > ?1",
};

static const char limit_sql[] =
    "SELECT printf('image %s: shared with %d accounts, more than the limit', image_id, shares)"
    " FROM image WHERE shares > ?1";

#define FIND_ALL(checker, sql, value)                                                              \
    do {                                                                                           \
        for (size_t find_i = 0; find_i < sizeof(sql) / sizeof((sql)[0]); find_i++)                 \
            find_breaches(checker, (sql)[find_i], value);                                          \
    } while (0)

/* Whether SQLite's words tell of a tree of pages that is none. */
static bool is_of_pages(const char *words)
{
    return strncmp(words, "*** in database", 15) == 0 || strncmp(words, "Tree ", 5) == 0;
}

/* The file itself: SQLite's own checks. False where pages are damaged, as what is read from them may
 * have no end. */
static bool check_file(struct checker *checker)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    bool whole = true;
    int result =
        query_open(checker->connection, "SELECT * FROM pragma_integrity_check(1000)", &query);

    while (result >= 0 && (result = statement_step(checker->connection, query)) == 1) {
        const char *words = statement_text(query, 0);
        whole = whole && !is_of_pages(words);
        if (strcmp(words, "ok") != 0)
            add_breach(checker, words);
    }
    if (result < 0)
        add_unreadable(checker, result);
    if (!whole) {
        add_breach(checker, "pages are damaged: what else is wrong cannot be told");
        return false;
    }
    find_breaches(checker,
                  "SELECT printf('table %s, row %d: refers to a row of %s that is not there',"
                  " \"table\", rowid, parent) FROM pragma_foreign_key_check",
                  0);
    return true;
}

/* Tables and indexes against those that this program makes. */
static int check_schema(struct checker *checker)
{
    struct connection fresh = {0};
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(1024);
    CLEANUP_QUERY sqlite3_stmt *wanted = NULL;
    CLEANUP_QUERY sqlite3_stmt *found = NULL;
    int rc = sqlite3_open(":memory:", &fresh.db);
    int result = rc == SQLITE_OK ? schema_create(fresh.db, "memory", &error) : -ENOMEM;

    if (result == 0)
        result = query_open(&fresh,
                            "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
                            " AND name NOT LIKE 'sqlite_%'",
                            &wanted);
    if (result == 0)
        result = query_open(
            checker->connection,
            "SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2 AND sql = ?3", &found);
    while (result >= 0 && (result = statement_step(&fresh, wanted)) == 1) {
        result = statement_bind(found, "ttt", statement_text(wanted, 0), statement_text(wanted, 1),
                                statement_text(wanted, 2));
        if (result == 0)
            result = statement_step(checker->connection, found);
        (void)sqlite3_reset(found);
        if (result == 0) {
            CLEANUP_BUFFER struct buffer text = BUFFER_INIT(1024);
            buffer_printf(&text, "schema: %s %s is missing or is not as it was made",
                          statement_text(wanted, 0), statement_text(wanted, 1));
            add_breach(checker, buffer_text(&text));
        }
    }
    query_close(&wanted);
    (void)sqlite3_close(fresh.db);
    return result;
}

/* A row of image, for check_record(). */
struct row {
    const char *id, *name, *owner, *record;
    int status, released, snapshots;
};

/* Whether the record of ROW is JSON that can be read; else WHY says why not. */
static bool is_sound(const struct row *row, struct buffer *why)
{
    json_error_t broken = {0};

    if (json_is_plain(row->record, strlen(row->record)))
        return true;
    json_t *json = json_loads(row->record, JSON_REJECT_DUPLICATES, &broken);
    if (!json)
        buffer_printf(why, "the record is broken JSON: %s", broken.text);
    json_decref(json);
    return json != NULL;
}

/* Reads a record as it was read when it came: of a cloud's answer what there is was taken. */
static int read_record(const char *record, bool replica, struct image_json *image,
                       struct image_json_fault *fault)
{
    if (!replica)
        return image_json_read(record, strlen(record), image, fault);
    int result = image_json_take(record, strlen(record), image);
    free(STEAL(image->owner)); /* whose list it was in counts more */
    (void)snprintf(fault->why, sizeof(fault->why), "there is no imageId");
    return result;
}

/* What is wrong with the record of ROW, "" if nothing is. 0 or -ENOMEM. */
static int judge_record(const struct row *row, bool replica, struct buffer *why)
{
    CLEANUP_IMAGE_JSON struct image_json image = {0};
    struct image_json_fault fault = {0};

    if (!is_sound(row, why))
        return 0;
    int result = read_record(row->record, replica, &image, &fault);
    if (result == -ENOMEM)
        return result;
    if (result < 0)
        buffer_printf(why, "the record is wrong: %s", fault.why);
    else if (strcmp(image.id, row->id) != 0)
        buffer_printf(why, "the record is of image %s", image.id);
    else if (image.owner && strcmp(image.owner, row->owner) != 0)
        buffer_printf(why, "the record says owner %s, the row %s", image.owner, row->owner);
    else if (strcmp(image.name, row->name) != 0)
        buffer_puts(why, "column name differs from the record");
    else if ((int)image.status != row->status)
        buffer_puts(why, "column status differs from the record");
    else if (image.released != (row->released != 0))
        buffer_puts(why, "column released differs from the record");
    else if ((int)image.snapshots != row->snapshots)
        buffer_puts(why, "column snapshots differs from the record");
    return 0;
}

static int check_records(struct checker *checker)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    int result = query_open(checker->connection,
                            "SELECT i.image_id, i.name, coalesce(a.pin, ''), i.record, i.status,"
                            " i.released, i.snapshots FROM image i NOT INDEXED"
                            " LEFT JOIN account a ON a.id = i.owner ORDER BY i.id",
                            &query);

    while (result >= 0 && (result = statement_step(checker->connection, query)) == 1) {
        CLEANUP_BUFFER struct buffer why = BUFFER_INIT(4096);
        struct row row = {
            .id = statement_text(query, 0),
            .name = statement_text(query, 1),
            .owner = statement_text(query, 2),
            .record = statement_text(query, 3),
            .status = sqlite3_column_int(query, 4),
            .released = sqlite3_column_int(query, 5),
            .snapshots = sqlite3_column_int(query, 6),
        };
        result = judge_record(&row, checker->replica, &why);
        if (why.length > 0) {
            CLEANUP_BUFFER struct buffer text = BUFFER_INIT(8192);
            buffer_printf(&text, "image %s: %s", row.id, buffer_text(&why));
            add_breach(checker, buffer_text(&text));
        }
    }
    return result;
}

static int count(struct checker *checker, const char *sql, int64_t *value)
{
    int result = query_value(checker->connection, sql, value, "");

    return result < 0 ? result : 0;
}

static int check_all(struct checker *checker)
{
    struct check_result *counts = checker->result;
    int64_t limit = 0;
    int64_t future_ns = text_now() + FUTURE_NS;
    enum snapshot_policy policy = SNAPSHOTS_ANY;
    char source[VIEW_NAME_SIZE] = "";

    int result = check_schema(checker);
    if (!check_file(checker))
        return result;
    /* Settings that cannot be read are a breach below. */
    checker->replica =
        replica_setting(checker->connection, "source", source) == 0 && source[0] != '\0';
    FIND_ALL(checker, counter_sql, 0);
    FIND_ALL(checker, setting_sql, 0);
    if (!checker->replica) {
        FIND_ALL(checker, rule_sql, 0);
        if (connection_settings(checker->connection, &limit, &policy) == 0)
            find_breaches(checker, limit_sql, limit);
    }
    FIND_ALL(checker, event_sql, 0);
    FIND_ALL(checker, feed_sql, 0);
    FIND_ALL(checker, sequence_sql, 0);
    FIND_ALL(checker, future_sql, future_ns);
    if (result == 0)
        result = check_records(checker);
    if (result == 0)
        result = count(checker, "SELECT count(*) FROM account", &counts->accounts);
    if (result == 0)
        result = count(checker, "SELECT count(*) FROM image", &counts->images);
    if (result == 0)
        result = count(checker, "SELECT count(*) FROM share", &counts->shares);
    return result;
}

int check_run(struct store *store, check_report report, void *context, struct check_result *result,
              struct buffer *error)
{
    struct checker checker = {
        .store = store,
        .connection = &store->connection,
        .report = report,
        .context = context,
        .result = result,
    };

    memset(result, 0, sizeof(*result));
    int outcome = snapshot_begin(checker.connection);
    if (outcome == 0)
        outcome = check_all(&checker);
    snapshot_end(checker.connection);
    return outcome < 0 ? store_explain(store, checker.connection, outcome, error) : 0;
}
