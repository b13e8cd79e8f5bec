/* Import: from files into the stage. See import_reader.h. */
#include "core/store/import_reader.h"

#include "core/store/account.h"
#include "core/store/json_plain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Records between two reports of progress. */
#define REPORT_EVERY 2048

static const char *const reader_sql[READER_STATEMENTS] = {
    [READER_FIND_ACCOUNT] = "SELECT id, listed FROM staging.account WHERE pin = ?1",
    [READER_ADD_ACCOUNT] =
        "INSERT INTO staging.account (id, pin, file, places) VALUES (?1, ?2, ?3, ?4)",
    [READER_LIST_ACCOUNT] =
        "UPDATE staging.account SET listed = ?2, file = ?2, places = ?3, mobile = coalesce(?4, "
        "mobile) WHERE id = ?1",
    [READER_ADD_IMAGE] =
        "INSERT INTO staging.image (pos, weight, file, owner, status, released, snapshots, pins, "
        "places, image_id, name, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
        "?12)",
    [READER_ADD_SHARE] =
        "INSERT INTO staging.share (pos, number, account, created_ns) VALUES (?1, ?2, ?3, ?4)",
};

int reader_fault(struct reader *reader, size_t offset)
{
    struct json_place place;

    json_span_place(&reader->span, offset, &place);
    struct stage_spot spot = import_spot(&place);
    return import_fault(reader->import, reader->file, &spot);
}

size_t reader_offset(const struct reader *reader, const char *name, struct json_item *item)
{
    *item = (struct json_item){0};
    if (name)
        (void)json_find(reader->span.text, reader->span.length, name, item);
    return item->at;
}

int reader_fault_member(struct reader *reader, const char *name, const char *why)
{
    struct json_item item;
    int result = reader_fault(reader, reader_offset(reader, name, &item));

    buffer_puts(reader->import->error, why);
    return result;
}

int reader_fault_element(struct reader *reader, const char *name, size_t index, const char *pin,
                         const char *why)
{
    struct json_item array;
    struct json_item item = {0};
    size_t offset = reader_offset(reader, name, &array);
    size_t position = 0;

    for (size_t i = 0; array.value && i <= index; i++)
        if (!json_item_next(array.value, array.value_length, &position, &item))
            break;
    if (array.value)
        offset = (size_t)(array.value - reader->span.text) + item.at;
    int result = reader_fault(reader, offset);
    if (pin) {
        buffer_printf(reader->import->error, "%s: ", name);
        import_quote(reader->import, pin);
        buffer_puts(reader->import->error, " ");
    }
    buffer_puts(reader->import->error, why);
    return result;
}

/* Where the decoder's ERROR begins: it says where it stopped, which is behind the token at fault.
 */
static size_t offset_of_error(const struct reader *reader, const json_error_t *error)
{
    size_t offset = error->position > 0 ? (size_t)error->position : 0;
    const char *near = strstr(error->text, " near '");
    size_t length = strlen(error->text);

    if (near && error->text[length - 1] == '\'') {
        size_t token = (size_t)(error->text + length - 1 - (near + strlen(" near '")));
        offset = offset > token ? offset - token : 0;
    }
    return offset < reader->span.length ? offset : reader->span.length;
}

/* Decodes the value at hand. NULL with the error set where it is broken. */
static json_t *decode(struct reader *reader)
{
    const struct json_span *span = &reader->span;
    json_error_t error = {0};
    /* The decoder passes over a NUL behind a number, and the record would end there. */
    const char *nul = memchr(span->text, '\0', span->length);

    if (nul) {
        (void)reader_fault(reader, (size_t)(nul - span->text));
        buffer_puts(reader->import->error, "broken JSON: no NUL can be in it");
        return NULL;
    }
    json_t *json =
        json_loadb(span->text, span->length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json) {
        (void)reader_fault(reader, offset_of_error(reader, &error));
        buffer_puts(reader->import->error, "broken JSON: ");
        text_escape(reader->import->error, error.text);
    }
    return json;
}

int reader_run(struct reader *reader, sqlite3_stmt *use)
{
    int result = statement_step(&reader->import->connection, use);

    return result < 0 ? import_stage_failed(reader->import, result) : result;
}

int reader_account(struct reader *reader, const char *pin, const struct stage_spot *spot,
                   int64_t *account, int64_t *listed)
{
    struct import *import = reader->import;
    CLEANUP_STATEMENT sqlite3_stmt *find = reader->statements[READER_FIND_ACCOUNT];
    CLEANUP_STATEMENT sqlite3_stmt *add = reader->statements[READER_ADD_ACCOUNT];

    *listed = -1;
    int result = statement_bind(find, "t", pin);
    if (result == 0)
        result = reader_run(reader, find);
    if (result == 1) {
        *account = sqlite3_column_int64(find, 0);
        if (sqlite3_column_type(find, 1) != SQLITE_NULL)
            *listed = sqlite3_column_int64(find, 1);
        return 0;
    }
    if (result == 0)
        result = statement_bind(add, "iti", import->accounts + 1, pin, (int64_t)reader->file);
    if (result == 0 &&
        sqlite3_bind_blob(add, 4, spot, (int)sizeof(*spot), SQLITE_STATIC) != SQLITE_OK)
        result = -ENOMEM;
    if (result == 0)
        result = reader_run(reader, add);
    if (result < 0)
        return import_stage_failed(import, result);
    *account = ++import->accounts;
    return 0;
}

/* Whether OBJECT has no member but those of NAMES (ended by NULL). */
static int check_members(struct reader *reader, const json_t *object, const char *const *names)
{
    struct import *import = reader->import;

    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        const char *key = json_object_iter_key(at);
        size_t i = 0;
        while (names[i] && strcmp(names[i], key) != 0)
            i++;
        if (names[i])
            continue;
        struct json_item item;
        int result = reader_fault(reader, reader_offset(reader, key, &item));
        import_quote(import, key);
        buffer_printf(import->error, " is no member of what \"%s\" begins", names[0]);
        return result;
    }
    return 0;
}

/* The line that export begins with. */
static int take_settings(struct reader *reader, const json_t *json)
{
    static const char *const names[] = {"registry", "limit", "snapshots", NULL};
    struct import *import = reader->import;
    const json_t *limit = json_object_get(json, "limit");
    const char *policy = json_string_value(json_object_get(json, "snapshots"));
    int result = check_members(reader, json, names);

    if (result < 0)
        return result;
    if (json_integer_value(json_object_get(json, "registry")) != 1)
        return reader_fault_member(reader, "registry",
                                   "registry must be 1, the only format that this imgshare knows");
    import->limit = json_integer_value(limit);
    if (import->limit < 1 || import->limit > IMPORT_LIMIT_MAX)
        return reader_fault_member(reader, "limit", "limit must be a number from 1 to 1000000");
    if (!policy || rules_policy_parse(policy, &import->policy) < 0)
        return reader_fault_member(reader, "snapshots", "snapshots must be any, encrypted or none");
    struct json_item item;
    struct json_place place;
    json_span_place(&reader->span, reader_offset(reader, "limit", &item), &place);
    import->settings_spot = import_spot(&place);
    import->settings_file = reader->file;
    import->has_settings = true;
    return 0;
}

/* A line of export for an account. */
static int take_account(struct reader *reader, const json_t *json)
{
    static const char *const names[] = {"account", "mobile", NULL};
    struct import *import = reader->import;
    CLEANUP_STATEMENT sqlite3_stmt *list = reader->statements[READER_LIST_ACCOUNT];
    const char *pin = json_string_value(json_object_get(json, "account"));
    const json_t *number = json_object_get(json, "mobile");
    const char *mobile = json_string_value(number);
    struct json_item item;
    struct json_place place;
    int64_t account = 0;
    int64_t listed = 0;
    int result = check_members(reader, json, names);

    if (result < 0)
        return result;
    if (!pin || !text_is_file_name(pin))
        return reader_fault_member(
            reader, "account",
            "account must be a pin: 1 to 255 bytes without a slash, not . or ..");
    if (number && (!mobile || !account_is_mobile(mobile)))
        return reader_fault_member(reader, "mobile", "mobile must be a string of 5 to 20 digits");
    json_span_place(&reader->span, reader_offset(reader, mobile ? "mobile" : "account", &item),
                    &place);
    struct stage_spot spot = import_spot(&place);
    result = reader_account(reader, pin, &spot, &account, &listed);
    if (result == 0 && listed == (int64_t)reader->file) {
        result = reader_fault(reader, reader_offset(reader, "account", &item));
        buffer_puts(import->error, "account: ");
        import_quote(import, pin);
        buffer_puts(import->error, " has a line in this file already");
        return result;
    }
    if (result == 0)
        result = statement_bind(list, "ii", account, (int64_t)reader->file);
    if (result == 0 && (sqlite3_bind_blob(list, 3, &spot, (int)sizeof(spot), SQLITE_STATIC) ||
                        sqlite3_bind_text(list, 4, mobile, -1, SQLITE_STATIC)))
        result = -ENOMEM;
    if (result == 0)
        result = reader_run(reader, list);
    return result < 0 ? import_stage_failed(import, result) : 0;
}

/* A response that says why there are no images. */
static int fault_response(struct reader *reader, const json_t *json)
{
    const char *message =
        json_string_value(json_object_get(json_object_get(json, "error"), "message"));
    int result =
        reader_fault_member(reader, "error", "this is the answer to a request that failed");

    if (message) {
        buffer_puts(reader->import->error, ": ");
        text_escape(reader->import->error, message);
    }
    return result;
}

/* Takes the object around images, or without any. Returns 1 where it is none. */
static int take_response(struct reader *reader, const json_t *json)
{
    const json_t *error = json_object_get(json, "error");
    const json_t *outer = json_object_get(json, "result");
    const json_t *inner = json_object_get(json_is_object(outer) ? outer : json, "images");

    if (json_object_get(json, "imageId"))
        return reader->span.kind == JSON_SPAN_FRAME
                   ? reader_fault_member(reader, "images", "an image cannot hold a list of images")
                   : 1;
    if (error && !json_is_null(error))
        return fault_response(reader, json);
    if (reader->span.kind == JSON_SPAN_FRAME)
        return 0;
    /* An account without images has null for a list, or none; a list with images is no list that
     * the scanner found. */
    bool empty = !inner || json_is_null(inner);
    return (outer || json_object_get(json, "images")) && empty ? 0 : 1;
}

static int take_value(struct reader *reader)
{
    const struct json_span *span = &reader->span;
    struct json_item id;

    /* Nearly all: images that are seen to be well-formed. Decoding them would take longer than all
     * else. */
    if (span->kind == JSON_SPAN_VALUE && json_is_plain(span->text, span->length) &&
        json_find(span->text, span->length, "imageId", &id))
        return reader_take_image(reader);
    CLEANUP_JSON json_t *json = decode(reader);
    if (!json)
        return -EINVAL;
    if (json_is_object(json)) {
        int result = take_response(reader, json);
        if (result <= 0)
            return result;
        if (!json_object_get(json, "imageId") && json_object_get(json, "registry"))
            return take_settings(reader, json);
        if (!json_object_get(json, "imageId") && json_object_get(json, "account"))
            return take_account(reader, json);
    }
    return reader_take_image(reader);
}

static ssize_t read_bytes(void *context, char *bytes, size_t size)
{
    struct reader *reader = context;
    ssize_t count = 0;

    do
        count = read(reader->fd, bytes, size);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    for (ssize_t i = 0; i < count && !reader->any; i++)
        reader->any = !strchr(" \t\r\n", bytes[i]) || bytes[i] == '\0';
    reader->bytes += count;
    return count;
}

static int read_values(struct reader *reader, struct json_scanner *scanner)
{
    struct import *import = reader->import;
    struct json_fault fault = {0};
    int result = 0;

    while ((result = json_scanner_next(scanner, &reader->span, &fault)) == 1) {
        result = take_value(reader);
        if (result < 0)
            return result;
        if (++reader->unreported >= REPORT_EVERY) {
            reader->unreported = 0;
            import_report(import, IMPORT_READING, import->images, reader->bytes, reader->size);
        }
    }
    if (result == 0 && !reader->any) {
        /* What a download or a pipe that failed leaves; no images would be []. */
        (void)import_fault(import, reader->file, &(struct stage_spot){.line = 1, .column = 1});
        buffer_puts(import->error, "there is nothing in it");
        return -EINVAL;
    }
    if (result == -EINVAL && fault.why[0]) {
        struct stage_spot spot = import_spot(&fault.place);
        (void)import_fault(import, reader->file, &spot);
        buffer_puts(import->error, fault.why);
    } else if (result < 0) {
        text_escape(import->error, import->options->files[reader->file]);
        buffer_printf(import->error, ": %s", strerrordesc_np(-result));
    }
    return result;
}

static int prepare(struct reader *reader)
{
    for (size_t i = 0; i < READER_STATEMENTS; i++) {
        int result = query_open(&reader->import->connection, reader_sql[i], &reader->statements[i]);
        if (result < 0)
            return import_stage_failed(reader->import, result);
    }
    return 0;
}

static void scanner_release(struct json_scanner **scanner)
{
    json_scanner_free(STEAL(*scanner));
}

int import_read(struct import *import, size_t file)
{
    const char *path = import->options->files[file];
    bool standard = strcmp(path, "-") == 0;
    struct stat status = {0};
    CLEANUP_CLOSE int fd =
        standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct reader reader = {
        .import = import,
        .file = file,
        .fd = fd,
        .record = BUFFER_INIT(IMPORT_RECORD_MAX),
    };

    if (fd < 0 || fstat(fd, &status) < 0) {
        int result = -errno;
        text_escape(import->error, path);
        buffer_printf(import->error, ": %s", strerrordesc_np(-result));
        return result;
    }
    if (S_ISREG(status.st_mode))
        reader.size = status.st_size;
    __attribute__((cleanup(scanner_release))) struct json_scanner *scanner =
        json_scanner_new(read_bytes, &reader, IMPORT_RECORD_MAX);
    int result = scanner ? prepare(&reader) : import_stage_failed(import, -ENOMEM);
    if (result == 0)
        result = read_values(&reader, scanner);
    for (size_t i = 0; i < READER_STATEMENTS; i++)
        query_close(&reader.statements[i]);
    buffer_dispose(&reader.record);
    import->last[file] = import->images;
    return result;
}
