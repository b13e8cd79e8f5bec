/*
 * Import: any file either comes into a registry, which is then whole, or changes nothing and is
 * refused with the place of what is wrong in it.
 */
#include "core/store/import.h"

#include "core/store/check.h"
#include "core/store/create.h"
#include "core/store/export.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)1 << 24)

/* What every registry begins with, so that an input can agree with it or not: an image that is
 * shared, one that is not, and one of another account. Three accounts an image. */
static const char first[] =
    "{\"registry\":1,\"limit\":3,\"snapshots\":\"any\"}\n"
    "{\"account\":\"me\"}\n"
    "{\"account\":\"alice\",\"mobile\":\"13800138000\"}\n"
    "{\"account\":\"bob\"}\n"
    "{\"imageId\":\"img-1\",\"name\":\"golden\",\"status\":\"ready\",\"ownerPin\":\"me\","
    "\"pins\":[\"alice\"],\"pinTimes\":[\"2026-11-24T08:00:00.123456789Z\"]}\n"
    "{\"imageId\":\"img-2\",\"name\":\"golden\",\"status\":\"pending\",\"ownerPin\":\"me\"}\n"
    "{\"imageId\":\"img-3\",\"status\":\"ready\",\"ownerPin\":\"bob\",\"pins\":[\"me\"]}\n";

/* A path in this process's directory; to be freed. */
static char *path_of(const char *name)
{
    char *path = strdup(fuzz_path(name));

    REQUIRE(path);
    return path;
}

static void open_registry(const char *path, struct store *store)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);

    if (store_open(path, store, &error) < 0)
        fuzz_fail(__FILE__, __LINE__, buffer_text(&error));
}

/* Imports the file PATH as OPTIONS say. */
static int import(struct store *store, const char *path, struct import_options options,
                  struct import_result *done, struct buffer *error)
{
    const char *const files[] = {path};

    options.files = files;
    options.file_count = 1;
    int result = import_run(store, &options, done, error);
    REQUIRE((result < 0) == (error->length > 0));
    fuzz_require_printable(buffer_text(error));
    return result;
}

static void copy_file(const char *from, const char *to)
{
    CLEANUP_FCLOSE FILE *source = fopen(from, "re");
    CLEANUP_FREE char *bytes = malloc(TEXT_MAX);

    REQUIRE(source && bytes);
    size_t size = fread(bytes, 1, TEXT_MAX, source);
    REQUIRE(size > 0 && size < TEXT_MAX);
    FILE *target = fopen(to, "we");
    REQUIRE(target);
    REQUIRE(fwrite(bytes, 1, size, target) == size);
    REQUIRE(fclose(target) == 0);
}

/* Makes a registry with what TEXT (LENGTH bytes) holds, which others are copies of. */
static void make_model(const char *path, const char *text, size_t length)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct import_result done = {0};
    struct store store = {0};
    const struct create_options options = {.limit = RULES_DEFAULT_LIMIT, .policy = SNAPSHOTS_ANY};

    REQUIRE(store_create(path, &options, &error) == 0);
    open_registry(path, &store);
    REQUIRE(length == 0 || import(&store, fuzz_file("first.json", text, length),
                                  (struct import_options){0}, &done, &error) == 0);
    store_close(&store); /* which copies the log back: one file is all of it */
}

/* Makes a registry NAME, and opens it: a copy of the one with all of FIRST, or of an empty one. */
static void open_copy(const char *name, bool empty, struct store *store)
{
    CLEANUP_FREE char *model = path_of(empty ? "model-empty" : "model");
    CLEANUP_FREE char *path = path_of(name);

    if (access(model, F_OK) < 0)
        make_model(model, first, empty ? 0 : sizeof(first) - 1);
    store_remove(path);
    copy_file(model, path);
    open_registry(path, store);
}

static void report_breach(const char *breach, void *context)
{
    (void)context;
    fuzz_require_printable(breach);
    (void)fprintf(stderr, "%s\n", breach);
}

static void require_whole(struct store *store)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct check_result result = {0};

    REQUIRE(check_run(store, report_breach, NULL, &result, &error) == 0);
    REQUIRE(result.breaches == 0);
}

static int add_text(const char *bytes, size_t length, void *context)
{
    buffer_add(context, bytes, length);
    return buffer_failed(context) ? -ENOMEM : 0;
}

/* What STORE holds; to be freed. */
static char *text_of(struct store *store)
{
    struct buffer text = BUFFER_INIT(TEXT_MAX);
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);

    REQUIRE(export_run(store, add_text, &text, &error) == 0);
    return text.text;
}

/* Changes whenever anybody else has committed anything. */
static int64_t version_of(struct store *store)
{
    sqlite3_stmt *statement = NULL;

    REQUIRE(sqlite3_prepare_v2(store->connection.db, "PRAGMA data_version", -1, &statement, NULL) ==
            SQLITE_OK);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    int64_t version = sqlite3_column_int64(statement, 0);
    REQUIRE(sqlite3_finalize(statement) == SQLITE_OK);
    return version;
}

/* ERROR begins with a place of the input. */
static void require_place(const char *error, const char *path, const uint8_t *data, size_t size)
{
    unsigned long line = 0;
    unsigned long column = 0;
    unsigned long characters = 1;

    REQUIRE(strncmp(error, path, strlen(path)) == 0);
    REQUIRE(sscanf(error + strlen(path), ":%lu:%lu: %*[^ ]", &line, &column) == 2);
    REQUIRE(line >= 1 && column >= 1);
    for (size_t i = 0; i < size && line > 0; i++) {
        if (data[i] == '\n')
            line--;
        if (line == 1)
            characters += (data[i] & 0xc0) != 0x80;
    }
    REQUIRE(line <= 1 && column <= characters);
}

/* TEXT, which is all that a registry holds, comes into an empty one, and out again as it was. */
static void copy_over(const char *text)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(8192);
    struct import_result done = {0};
    struct store copy = {0};

    open_copy("copy", true, &copy);
    if (import(&copy, fuzz_file("export.json", text, strlen(text)), (struct import_options){0},
               &done, &error) < 0)
        fuzz_fail(__FILE__, __LINE__, buffer_text(&error));
    require_whole(&copy);
    CLEANUP_FREE char *again = text_of(&copy);
    REQUIRE(strcmp(text, again) == 0);
    store_close(&copy);
}

/* INPUT was taken: everything holds, and the same once more adds nothing. */
static void look_at(struct store *store, const char *input, const struct import_options *options,
                    const struct import_result *done)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(8192);
    struct import_result again = {0};

    REQUIRE(done->images == done->added + done->updated);
    CLEANUP_FREE char *text = text_of(store);
    REQUIRE(import(store, input, *options, &again, &error) == 0);
    REQUIRE(again.images == done->images && again.added == 0 && again.shares == 0 &&
            again.accounts == 0);
    require_whole(store);
    CLEANUP_FREE char *same = text_of(store);
    REQUIRE(strcmp(text, same) == 0);
    copy_over(text);
}

/* Returns whether the input was taken. Where it was not, STORE is what it was. */
static bool run(struct store *store, const uint8_t *data, size_t size,
                const struct import_options *options)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(8192);
    CLEANUP_FREE char *input = strdup(fuzz_file("input.json", data, size));
    struct import_result done = {0};
    int64_t version = version_of(store);

    REQUIRE(input);
    int result = import(store, input, *options, &done, &error);
    if (result == 0) {
        look_at(store, input, options, &done);
        return true;
    }
    REQUIRE(result == -EINVAL);
    REQUIRE(version_of(store) == version);
    REQUIRE(done.images == 0 && done.accounts == 0 && done.shares == 0);
    require_place(buffer_text(&error), input, data, size);
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Most inputs are refused, and change nothing: the next one finds what this one found. */
    static struct store store;
    const struct import_options lenient = {.owner = "me"};
    const struct import_options strict = {.known_accounts_only = true};

    if (!store.path)
        open_copy("registry", false, &store);
    if (!run(&store, data, size, &lenient))
        return 0;
    store_close(&store);
    open_copy("registry", false, &store);
    if (run(&store, data, size, &strict))
        store_close(&store);
    return 0;
}
