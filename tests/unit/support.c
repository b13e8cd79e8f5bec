/* What the unit tests share: see the header. */
#include "tests/unit/support.h"

#include "core/base/container.h"
#include "core/base/text.h"
#include "core/catalog/report.h"
#include "core/store/create.h"
#include "core/store/store.h"
#include "core/store/write.h"

#include <errno.h>
#include <ftw.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

int directory_setup(void **state)
{
    struct registry *registry = calloc(1, sizeof(*registry));
    const char *temporary = getenv("TMPDIR");

    assert_non_null(registry);
    (void)snprintf(registry->directory, sizeof(registry->directory), "%s/imgshare-unit.XXXXXX",
                   temporary && *temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(registry->directory));
    int length = snprintf(registry->path, sizeof(registry->path), "%.*s/registry", PATH_MAX - 64,
                          registry->directory);
    assert_in_range(length, 1, PATH_MAX - 1);
    *state = registry;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

int directory_teardown(void **state)
{
    struct registry *registry = *state;

    /* A test that failed may have gone there; one may have taken the write permission away. */
    assert_int_equal(chdir("/"), 0);
    (void)chmod(registry->directory, 0700);
    assert_int_equal(nftw(registry->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(registry);
    return 0;
}

int registry_setup(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(1024);
    const struct create_options options = {.limit = RULES_DEFAULT_LIMIT, .policy = SNAPSHOTS_ANY};

    (void)directory_setup(state);
    struct registry *registry = *state;
    assert_done(store_create(registry->path, &options, &error));
    assert_int_equal(sqlite3_open_v2(registry->path, &registry->db, SQLITE_OPEN_READWRITE, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(registry->db, 10000), SQLITE_OK);
    return 0;
}

int registry_teardown(void **state)
{
    struct registry *registry = *state;

    assert_int_equal(sqlite3_close(registry->db), SQLITE_OK);
    return directory_teardown(state);
}

const char *registry_file(const struct registry *registry, const char *name, const char *text)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - 300, registry->directory, name);
    (void)unlink(path); /* one that is there may be read-only, which binds all but root */
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* --- SQL that stands for import --- */

static void run_sql(const struct registry *registry, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(registry->db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

void registry_sql(const struct registry *registry, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    run_sql(registry, sql);
    sqlite3_free(sql);
}

int64_t registry_number(const struct registry *registry, const char *format, ...)
{
    sqlite3_stmt *statement = NULL;
    va_list arguments;

    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    if (sqlite3_prepare_v2(registry->db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(registry->db));
    if (sqlite3_step(statement) != SQLITE_ROW)
        fail_msg("%s: no row", sql);
    int64_t value = sqlite3_column_int64(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    sqlite3_free(sql);
    return value;
}

/* SQLite's own formats (%Q quotes a string) are not known to the compiler. */
static void run_quoted(const struct registry *registry, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    run_sql(registry, sql);
    sqlite3_free(sql);
}

int64_t registry_account(const struct registry *registry, const char *pin, const char *mobile)
{
    run_quoted(registry,
               "INSERT INTO account (pin, mobile, private_ns, names_ns, received_ns, owners_ns, "
               "recipients_ns) VALUES (%Q, %Q, 1, 1, 1, 1, 1)",
               pin, mobile);
    return sqlite3_last_insert_rowid(registry->db);
}

int64_t registry_image(const struct registry *registry, const struct sample *sample)
{
    char *record = sqlite3_mprintf("{\"imageId\":\"%s\"}", sample->id);

    run_quoted(registry,
               "INSERT INTO image (owner, image_id, name, status, released, snapshots, shares_ns, "
               "added_ns, changed_ns, record) VALUES ((SELECT id FROM account WHERE pin = %Q), %Q, "
               "%Q, %d, %d, %u, 1, 1, 1, %Q)",
               sample->owner, sample->id, sample->name ? sample->name : sample->id,
               (int)sample->status, (int)sample->released, sample->snapshots,
               sample->record ? sample->record : record);
    sqlite3_free(record);
    int64_t row = sqlite3_last_insert_rowid(registry->db);
    run_quoted(registry, "UPDATE account SET images = images + 1 WHERE pin = %Q", sample->owner);
    return row;
}

int64_t registry_share(const struct registry *registry, int64_t image, const char *pin)
{
    /* The store's own bookkeeping keeps counters and times in step. */
    struct connection connection = {.db = registry->db};
    int64_t row = 0;
    int64_t owner =
        registry_number(registry, "SELECT owner FROM image WHERE id = %lld", (long long)image);

    run_sql(registry, "BEGIN IMMEDIATE");
    assert_done(write_share(&connection, image, owner, pin, text_now(), &row));
    run_sql(registry, "COMMIT");
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(connection.statements[i]);
    return row;
}

void registry_share_many(const struct registry *registry, int64_t image, const char *prefix,
                         int count)
{
    for (int i = 1; i <= count; i++) {
        char pin[64];
        (void)snprintf(pin, sizeof(pin), "%s%02d", prefix, i);
        (void)registry_account(registry, pin, NULL);
        (void)registry_share(registry, image, pin);
    }
}

/* Appends the rows that SQL gives; where the log ends is no part of an account's state. */
static void dump_rows(sqlite3 *db, const char *sql, struct buffer *out)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const char *name = sqlite3_column_name(statement, i);
            const char *text = (const char *)sqlite3_column_text(statement, i);
            if (strcmp(name, "events_end") != 0)
                buffer_printf(out, "%s=%s ", name, text ? text : "NULL");
        }
        buffer_puts(out, "\n");
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

char *registry_dump(const struct registry *registry)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 24);
    static const char *const tables[] = {
        "SELECT * FROM setting ORDER BY name",
        "SELECT * FROM account ORDER BY id",
        "SELECT * FROM image ORDER BY id",
        "SELECT * FROM share ORDER BY id",
        "SELECT * FROM recipient ORDER BY id",
        "SELECT * FROM feed ORDER BY id",
        "SELECT * FROM sqlite_sequence ORDER BY name",
    };

    for (size_t i = 0; i < COUNT_OF(tables); i++)
        dump_rows(registry->db, tables[i], &out);
    assert_false(buffer_failed(&out));
    return STEAL(out.text);
}

/* --- mounts and requests --- */

struct mount *mount_open_as(const struct registry *registry, struct catalog_options options)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct mount *mount = calloc(1, sizeof(*mount));

    assert_non_null(mount);
    options.path = registry->path;
    if (catalog_open(&options, &error, &mount->catalog) < 0 ||
        catalog_view(mount->catalog, &mount->view, &error) < 0)
        fail_msg("no mount: %s", buffer_text(&error));
    return mount;
}

struct mount *mount_open(const struct registry *registry, const char *pin)
{
    return mount_open_as(registry, (struct catalog_options){.account = pin});
}

void mount_close(struct mount *mount)
{
    view_close(&mount->view);
    catalog_stop(mount->catalog);
    catalog_close(mount->catalog);
    free(mount);
}

struct request request_of(enum change_action action, int64_t image, const char *name)
{
    struct request request = {
        .change = {
            .action = action,
            .image = image,
            .caller = {.uid = 1000, .process = 4711, .executable = "/usr/bin/touch"},
        }};

    (void)snprintf(request.change.name, sizeof(request.change.name), "%s", name);
    return request;
}

static void request_done(struct change *change, int result)
{
    struct request *request = CONTAINER_OF(change, struct request, change);

    request->result = result;
    request->times_done++;
    (void)sem_post(&request->ended);
}

void request_begin(struct mount *mount, struct request *request)
{
    assert_int_equal(sem_init(&request->ended, 0, 0), 0);
    request->change.done = request_done;
    catalog_change(mount->catalog, &request->change);
}

int request_end(struct request *request)
{
    semaphore_wait(&request->ended);
    assert_int_equal(request->times_done, 1);
    (void)sem_destroy(&request->ended);
    return request->result;
}

int request_run(struct mount *mount, struct request *request)
{
    request_begin(mount, request);
    return request_end(request);
}

int mount_share(struct mount *mount, int64_t image, const char *pin)
{
    struct request request = request_of(CHANGE_SHARE, image, pin);

    return request_run(mount, &request);
}

int mount_cancel(struct mount *mount, int64_t image, const char *pin)
{
    struct request request = request_of(CHANGE_CANCEL, image, pin);

    return request_run(mount, &request);
}

int mount_refuse(struct mount *mount, const char *verb, int64_t image, const char *name,
                 enum refusal refusal)
{
    struct request request = request_of(CHANGE_OTHER, image, name);

    request.change.verb = verb;
    request.change.refusal = -(int)refusal;
    return request_run(mount, &request);
}

const char *mount_pins(struct mount *mount, int64_t image)
{
    static char pins[1 << 16];
    CLEANUP_LISTING struct listing listing = LISTING_INIT;

    assert_done(view_shares(&mount->view, image, 0, listing_add, &listing));
    (void)snprintf(pins, sizeof(pins), "%s", buffer_text(&listing.text));
    return pins;
}

const char *mount_events(struct mount *mount)
{
    static char events[1 << 20];
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(sizeof(events) - 1);

    assert_done(report_events_read(mount->catalog, &mount->view, 0, sizeof(events) - 1, &out));
    (void)snprintf(events, sizeof(events), "%s", buffer_text(&out));
    return events;
}

/* --- listings and asserts --- */

void listing_dispose(struct listing *listing)
{
    buffer_dispose(&listing->text);
}

void listing_add_name(struct listing *listing, int64_t row, const char *name)
{
    if (listing->text.length > 0)
        buffer_puts(&listing->text, " ");
    buffer_puts(&listing->text, name);
    assert_false(buffer_failed(&listing->text));
    listing->last = row;
    listing->count++;
}

int listing_add(const struct view_entry *entry, void *context)
{
    struct listing *listing = context;

    listing_add_name(listing, entry->row, entry->name);
    return listing->count == listing->most;
}

void assert_result(int result, const char *code, const char *file, int line)
{
    const struct refusal_row *row = refusal_of(result);
    const char *got = result == 0 ? "done" : row ? row->code : strerrorname_np(abs(result));
    const char *wanted = code ? code : "done";

    if (strcmp(got ? got : "?", wanted) == 0)
        return;
    print_error("%s (%d) instead of %s\n", got ? got : "?", result, wanted);
    _fail(file, line);
}

void assert_part(const char *text, const char *part, bool wanted, const char *file, int line)
{
    if ((strstr(text, part) != NULL) == wanted)
        return;
    print_error("\"%s\" is %s in \"%s\"\n", part, wanted ? "missing" : "there", text);
    _fail(file, line);
}

void obey_file_modes(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    const __u32 mask = ~((1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH));

    assert_int_equal(syscall(SYS_capget, &header, data), 0);
    data[0].effective &= mask;
    data[0].permitted &= mask;
    data[0].inheritable &= mask;
    assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

void names_fill(struct names *names, const char *text)
{
    char words[256] = "";
    char *rest = words;

    (void)snprintf(words, sizeof(words), "%s", text);
    for (char *word = NULL; (word = strsep(&rest, " "));)
        if (*word)
            assert_int_equal(names_add(names, word), 0);
    names_sort(names);
}

void semaphore_wait(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0)
        assert_int_equal(errno, EINTR);
}

int64_t clock_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
