/* What one account sees of the store: see the header. */
#include "core/store/view.h"

#include "core/rules/refusal.h"
#include "core/store/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Upper levels of the trees stay in it, leaves come from the kernel's page cache. With a view a
 * thread, this is what bounds the daemon's memory. */
#define VIEW_CACHE_KIB 384

static struct view_look look_at(const char *path)
{
    struct stat status;
    struct view_look look = {.has_log = store_has_log(path)};

    if (stat(path, &status) == 0) {
        look.device = status.st_dev;
        look.inode = status.st_ino;
        look.size = status.st_size;
        look.changed = status.st_mtim;
    }
    return look;
}

static bool is_same(const struct view_look *a, const struct view_look *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
           a->has_log == b->has_log;
}

/* Whether the view's account has the same row in the file of CONNECTION: 0, or a negative
 * refusal/errno. */
static int check_account(const struct view *view, struct connection *connection)
{
    int64_t row = 0;
    int result = statement_value(connection, STATEMENT_ACCOUNT_ID, &row, "t", view->pin);

    return result < 0 ? result : row == view->account ? 0 : -REFUSAL_STORE_REPLACED;
}

/* Opens the file of an immutable view, which looks like LOOK. A log that has come since means a
 * writer, whose side files serve readers as well. */
static int open_unlocked(struct view *view, struct view_look look, struct buffer *error)
{
    enum connection_mode mode = look.has_log ? CONNECTION_READ_ONLY : CONNECTION_IMMUTABLE;
    struct connection connection;
    int result = connection_open(&connection, view->path, mode, VIEW_CACHE_KIB, error);

    if (result < 0)
        return result;
    result = connection_exec(&connection, "SELECT 1 FROM setting LIMIT 1"); /* reads the file */
    if (result < 0)
        buffer_printf(error, "%s: %s", view->path, connection_message(&connection, result));
    else if (view->connection.db) /* may be another registry, where the row is somebody else's */
        result = check_account(view, &connection);
    if (result < 0) {
        connection_close(&connection);
        return result;
    }
    connection_close(&view->connection);
    view->connection = connection;
    connection_bound(&view->connection);
    view->mode = mode;
    view->look = look;
    return 0;
}

int view_open(struct view *view, const char *path, enum connection_mode mode, int64_t account,
              const char *pin, struct buffer *error)
{
    memset(view, 0, sizeof(*view));
    view->path = path;
    view->mode = mode == CONNECTION_READ_WRITE ? CONNECTION_READ_ONLY : mode;
    view->account = account;
    (void)snprintf(view->pin, sizeof(view->pin), "%s", pin);
    if (mode == CONNECTION_IMMUTABLE)
        return -refusal_errno(open_unlocked(view, look_at(path), error));
    int result = connection_open(&view->connection, path, view->mode, VIEW_CACHE_KIB, error);
    if (result == 0)
        connection_bound(&view->connection);
    return result;
}

int view_renew(struct view *view)
{
    CLEANUP_BUFFER struct buffer unheard = BUFFER_INIT(1024);

    if (view->mode != CONNECTION_IMMUTABLE)
        return 0;
    struct view_look look = look_at(view->path); /* before: what changes now is seen next time */
    if (is_same(&look, &view->look))
        return 0;
    int result = look.inode ? open_unlocked(view, look, &unheard) : -REFUSAL_STORE_REPLACED;
    if (result == 0)
        view->renewals++;
    return result;
}

void view_close(struct view *view)
{
    connection_close(&view->connection);
}

/* A column as a name. What holds a NUL is none: its beginning would be another's. */
static const char *name_of(sqlite3_stmt *use, int column)
{
    const char *text = statement_text(use, column);

    return strlen(text) == (size_t)sqlite3_column_bytes(use, column) ? text : "";
}

/* The same for what is too long. */
static void copy_name(char out[VIEW_NAME_SIZE], sqlite3_stmt *use, int column)
{
    const char *text = name_of(use, column);

    (void)snprintf(out, VIEW_NAME_SIZE, "%s", strlen(text) < VIEW_NAME_SIZE ? text : "");
}

static bool is_row(int64_t row)
{
    return row > 0 && row <= VIEW_ROW_MAX;
}

/* Takes STATEMENT and binds ?1 to ROW or TEXT (the one that is used), and where the statement has
 * them ?2 to the account's row and ?3 to its pin. NULL on failure with *RESULT set. */
static sqlite3_stmt *use_seen(struct view *view, enum statement statement, bool by_text,
                              int64_t row, const char *text, int *result)
{
    sqlite3_stmt *use = statement_use(&view->connection, statement);

    if (!use) {
        *result = statement_error(&view->connection);
        return NULL;
    }
    const char *rest = sqlite3_bind_parameter_count(use) > 2 ? "it" : "i";
    const char types[] = {by_text ? 't' : 'i', rest[0], rest[1], '\0'};
    *result = by_text ? statement_bind(use, types, text, view->account, view->pin)
                      : statement_bind(use, types, row, view->account, view->pin);
    if (*result == 0)
        return use;
    statement_release(&use);
    return NULL;
}

/* Steps USE to its only row. Returns 0, -ENOENT, or a negative refusal/errno. */
static int step_one(struct view *view, sqlite3_stmt *use)
{
    int result = statement_step(&view->connection, use);

    return result == 1 ? 0 : result == 0 ? -ENOENT : result;
}

/* The same for a thing, whose row id comes first. */
static int step_thing(struct view *view, sqlite3_stmt *use)
{
    int result = step_one(view, use);

    return result == 0 && !is_row(sqlite3_column_int64(use, 0)) ? -REFUSAL_STORE_DAMAGED : result;
}

/* Visits what USE lists: columns row, name, mtime, and by EXTRA the share's row or a label. Rows
 * rise; where they do not, pages lead in circles and the list might have no end. */
enum extra { EXTRA_NONE, EXTRA_SHARE, EXTRA_LABEL };

static int visit_all(struct view *view, sqlite3_stmt *use, enum extra extra, view_visit visit,
                     void *context)
{
    int64_t last = 0;
    int result = 0;

    while ((result = statement_step(&view->connection, use)) == 1) {
        struct view_entry entry = {
            .row = sqlite3_column_int64(use, 0),
            .name = name_of(use, 1),
            .mtime_ns = sqlite3_column_int64(use, 2),
            .share = extra == EXTRA_SHARE ? sqlite3_column_int64(use, 3) : 0,
            .label = extra == EXTRA_LABEL ? name_of(use, 3) : "",
        };
        if (entry.row <= last || !is_row(entry.row) || (entry.share != 0 && !is_row(entry.share)))
            return -REFUSAL_STORE_DAMAGED;
        last = entry.row;
        if (visit(&entry, context) != 0)
            return 0;
    }
    return result;
}

int view_account(struct view *view, struct view_account *out)
{
    CLEANUP_STATEMENT sqlite3_stmt *use =
        statement_use(&view->connection, STATEMENT_ACCOUNT_BY_PIN);

    if (!use)
        return statement_error(&view->connection);
    int result = statement_bind(use, "t", view->pin);
    if (result == 0)
        result = step_one(view, use);
    if (result < 0)
        return result;
    *out = (struct view_account){
        .images = sqlite3_column_int64(use, 1),
        .received = sqlite3_column_int64(use, 2),
        .private_ns = sqlite3_column_int64(use, 3),
        .names_ns = sqlite3_column_int64(use, 4),
        .received_ns = sqlite3_column_int64(use, 5),
        .owners_ns = sqlite3_column_int64(use, 6),
        .recipients_ns = sqlite3_column_int64(use, 7),
        .events_end = sqlite3_column_int64(use, 8),
    };
    return 0;
}

int view_settings(struct view *view, int64_t *limit, enum snapshot_policy *policy)
{
    return connection_settings(&view->connection, limit, policy);
}

static int take_image(struct view *view, sqlite3_stmt *use, struct view_image *out)
{
    int result = step_thing(view, use);

    if (result < 0)
        return result;
    out->row = sqlite3_column_int64(use, 0);
    out->owned = sqlite3_column_int64(use, 1) == view->account;
    copy_name(out->id, use, 2);
    out->shares = sqlite3_column_int64(use, 3);
    out->shares_ns = sqlite3_column_int64(use, 4);
    out->added_ns = sqlite3_column_int64(use, 5);
    out->changed_ns = sqlite3_column_int64(use, 6);
    return 0;
}

int view_image(struct view *view, int64_t row, struct view_image *out)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        use_seen(view, STATEMENT_IMAGE, false, row, NULL, &result);

    return use ? take_image(view, use, out) : result;
}

int view_image_by_id(struct view *view, enum view_scope scope, const char *id,
                     struct view_image *out)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use = use_seen(
        view, scope == VIEW_PRIVATE ? STATEMENT_IMAGE_PRIVATE_BY_ID : STATEMENT_IMAGE_SHARED_BY_ID,
        true, 0, id, &result);

    return use ? take_image(view, use, out) : result;
}

int view_images(struct view *view, enum view_scope scope, int64_t after, view_visit visit,
                void *context)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        use_seen(view, scope == VIEW_PRIVATE ? STATEMENT_IMAGES_PRIVATE : STATEMENT_IMAGES_SHARED,
                 false, after, NULL, &result);

    return use ? visit_all(view, use, EXTRA_NONE, visit, context) : result;
}

int view_record(struct view *view, int64_t row, struct view_record *out)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        use_seen(view, STATEMENT_IMAGE_RECORD, false, row, NULL, &result);

    memset(out, 0, sizeof(*out));
    if (!use)
        return result;
    result = step_one(view, use);
    if (result < 0)
        return result;
    out->row = row;
    out->owned = sqlite3_column_int64(use, 0) == view->account;
    copy_name(out->owner, use, 1);
    copy_name(out->id, use, 2);
    out->status = (enum image_status)sqlite3_column_int(use, 4);
    out->released = sqlite3_column_int(use, 5) != 0;
    out->snapshots = (unsigned)sqlite3_column_int(use, 6);
    out->shares = sqlite3_column_int64(use, 7);
    out->confirmed_ns = sqlite3_column_int64(use, 9);
    out->limit = sqlite3_column_int64(use, 10);
    out->name = strdup(statement_text(use, 3));
    out->record = strdup(statement_text(use, 8));
    if (out->name && out->record)
        return 0;
    view_record_dispose(out);
    return -ENOMEM;
}

void view_record_dispose(struct view_record *record)
{
    free(STEAL(record->name));
    free(STEAL(record->record));
}

int view_refusal(struct view *view, int64_t row, struct view_refusal *out)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(&view->connection, STATEMENT_REFUSAL);

    memset(out, 0, sizeof(*out));
    if (!use)
        return statement_error(&view->connection);
    int result = statement_bind(use, "ii", view->account, row);
    if (result == 0)
        result = step_one(view, use);
    if (result < 0)
        return result;
    out->at_ns = sqlite3_column_int64(use, 0);
    (void)snprintf(out->action, sizeof(out->action), "%s", statement_text(use, 1));
    (void)snprintf(out->code, sizeof(out->code), "%s", statement_text(use, 3));
    out->name = strdup(statement_text(use, 2));
    return out->name ? 0 : -ENOMEM;
}

void view_refusal_dispose(struct view_refusal *refusal)
{
    free(STEAL(refusal->name));
}

static int take_share(struct view *view, sqlite3_stmt *use, struct view_share *out)
{
    int result = step_thing(view, use);

    if (result < 0)
        return result;
    out->row = sqlite3_column_int64(use, 0);
    out->image = sqlite3_column_int64(use, 1);
    copy_name(out->pin, use, 2);
    out->created_ns = sqlite3_column_int64(use, 3);
    return 0;
}

int view_share(struct view *view, int64_t row, struct view_share *out)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        use_seen(view, STATEMENT_SHARE, false, row, NULL, &result);

    return use ? take_share(view, use, out) : result;
}

int view_share_by_pin(struct view *view, int64_t image, const char *pin, struct view_share *out)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(&view->connection, STATEMENT_SHARE_BY_PIN);

    if (!use)
        return statement_error(&view->connection);
    int result = statement_bind(use, "iitt", image, view->account, view->pin, pin);
    return result < 0 ? result : take_share(view, use, out);
}

int view_shares(struct view *view, int64_t image, int64_t after, view_visit visit, void *context)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(&view->connection, STATEMENT_SHARES);

    if (!use)
        return statement_error(&view->connection);
    int result = statement_bind(use, "ii", image, after);
    return result < 0 ? result : visit_all(view, use, EXTRA_NONE, visit, context);
}

static int take_recipient(struct view *view, sqlite3_stmt *use, struct view_recipient *out)
{
    int result = step_thing(view, use);

    if (result < 0)
        return result;
    out->row = sqlite3_column_int64(use, 0);
    copy_name(out->pin, use, 1);
    copy_name(out->owner, use, 2);
    out->changed_ns = sqlite3_column_int64(use, 3);
    return 0;
}

int view_recipient(struct view *view, int64_t row, struct view_recipient *out)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        use_seen(view, STATEMENT_RECIPIENT, false, row, NULL, &result);

    return use ? take_recipient(view, use, out) : result;
}

int view_recipient_by_pin(struct view *view, const char *pin, struct view_recipient *out)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        use_seen(view, STATEMENT_RECIPIENT_BY_PIN, true, 0, pin, &result);

    return use ? take_recipient(view, use, out) : result;
}

int view_owner_by_pin(struct view *view, const char *pin, struct view_recipient *out)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        use_seen(view, STATEMENT_OWNER_BY_PIN, true, 0, pin, &result);

    return use ? take_recipient(view, use, out) : result;
}

int view_recipients(struct view *view, int64_t after, view_visit visit, void *context)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        use_seen(view, STATEMENT_RECIPIENTS, false, after, NULL, &result);

    return use ? visit_all(view, use, EXTRA_NONE, visit, context) : result;
}

int view_owners(struct view *view, int64_t after, view_visit visit, void *context)
{
    int result = 0;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        use_seen(view, STATEMENT_OWNERS, false, after, NULL, &result);

    return use ? visit_all(view, use, EXTRA_NONE, visit, context) : result;
}

int view_recipient_images(struct view *view, const char *pin, int64_t after, view_visit visit,
                          void *context)
{
    CLEANUP_STATEMENT sqlite3_stmt *use =
        statement_use(&view->connection, STATEMENT_RECIPIENT_IMAGES);

    if (!use)
        return statement_error(&view->connection);
    int result = statement_bind(use, "iit", after, view->account, pin);
    return result < 0 ? result : visit_all(view, use, EXTRA_SHARE, visit, context);
}

/* The row of the account OWNER, this one's own included. */
static int owner_row(struct view *view, const char *owner, int64_t *row)
{
    if (strcmp(owner, view->pin) == 0) {
        *row = view->account;
        return 0;
    }
    int result = statement_value(&view->connection, STATEMENT_ACCOUNT_ID, row, "t", owner);
    return result == 1 ? 0 : result == 0 ? -ENOENT : result;
}

int view_names(struct view *view, const char *owner, int64_t after, view_visit visit, void *context)
{
    int64_t row = 0;
    int result = owner_row(view, owner, &row);

    if (result < 0)
        return result;
    bool own = row == view->account;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        statement_use(&view->connection, own ? STATEMENT_NAMES : STATEMENT_NAMES_SHARED);
    if (!use)
        return statement_error(&view->connection);
    result = own ? statement_bind(use, "ii", after, row)
                 : statement_bind(use, "iit", after, row, view->pin);
    return result < 0 ? result : visit_all(view, use, EXTRA_LABEL, visit, context);
}

int view_named(struct view *view, const char *owner, const char *name, view_visit visit,
               void *context)
{
    int64_t row = 0;
    int result = owner_row(view, owner, &row);

    if (result < 0)
        return result;
    bool own = row == view->account;
    CLEANUP_STATEMENT sqlite3_stmt *use =
        statement_use(&view->connection, own ? STATEMENT_NAMED : STATEMENT_NAMED_SHARED);
    if (!use)
        return statement_error(&view->connection);
    result = own ? statement_bind(use, "it", row, name)
                 : statement_bind(use, "itt", row, name, view->pin);
    return result < 0 ? result : visit_all(view, use, EXTRA_LABEL, visit, context);
}

int view_name_by_id(struct view *view, const char *owner, const char *id, view_visit visit,
                    void *context)
{
    int64_t row = 0;
    int result = owner_row(view, owner, &row);

    if (result < 0)
        return result;
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(&view->connection, STATEMENT_NAME_BY_ID);
    if (!use)
        return statement_error(&view->connection);
    result = statement_bind(use, "tit", id, row, row == view->account ? NULL : view->pin);
    return result < 0 ? result : visit_all(view, use, EXTRA_LABEL, visit, context);
}

int view_events(struct view *view, int64_t offset, view_line visit, void *context)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(&view->connection, STATEMENT_EVENTS);

    if (!use)
        return statement_error(&view->connection);
    int result = statement_bind(use, "ii", view->account, offset);
    while (result >= 0 && (result = statement_step(&view->connection, use)) == 1) {
        const char *line = statement_text(use, 1);
        if (visit(sqlite3_column_int64(use, 0), line, (size_t)sqlite3_column_bytes(use, 1),
                  context) != 0)
            return 0;
    }
    return result;
}

int view_events_begin(struct view *view, int64_t *offset)
{
    struct view_account account = {0};
    int result = view_account(view, &account);

    if (result < 0)
        return result;
    *offset = account.events_end;
    result = statement_value(&view->connection, STATEMENT_EVENTS_FIRST, offset, "i", view->account);
    return result < 0 ? result : 0;
}

int view_events_time(struct view *view, int64_t *at_ns)
{
    *at_ns = 0;
    int result =
        statement_value(&view->connection, STATEMENT_EVENTS_LAST_TIME, at_ns, "i", view->account);
    return result < 0 ? result : 0;
}
