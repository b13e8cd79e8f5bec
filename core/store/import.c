/* The run of an import, and its stage: see the headers. */
#include "core/store/import.h"

#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/import_stage.h"
#include "core/store/transaction.h"

#include <errno.h>
#include <string.h>

/* Two page caches and what a sort takes (as much as the first) are most of import's memory. The
 * index pages of a million images that steps come back to fit into the first. */
#define MAIN_CACHE_KIB 57344
#define STAGE_CACHE_KIB 8192

/*
 * The stage. A position is the number of an image, over all files in their order; files cover
 * ranges of positions. Accounts are numbered in the order in which they are met, which is the order
 * in which they will be made.
 */
static const char stage_sql[] =
    "PRAGMA temp_store = FILE;" /* a large import must not be held in memory */
    "ATTACH '' AS staging;"
    "PRAGMA staging.page_size = 65536;"     /* it is written and read from one end to the other */
    "PRAGMA staging.journal_mode = MEMORY;" /* a step that is rolled back takes its notes along */
    "PRAGMA staging.synchronous = OFF;"

    "CREATE TABLE staging.account ("
    "  id INTEGER PRIMARY KEY,"
    "  pin TEXT NOT NULL UNIQUE,"
    "  mobile TEXT,"
    "  listed INTEGER,"        /* the file that has a line of its own for it, from 0 */
    "  file INTEGER NOT NULL," /* where it is first met */
    "  places BLOB NOT NULL,"  /* one stage_spot */
    "  row INTEGER"            /* in the registry */
    ");"

    "CREATE TABLE staging.image ("
    "  pos INTEGER PRIMARY KEY,"
    "  weight INTEGER NOT NULL," /* of this and all before it: import_apply.c */
    "  file INTEGER NOT NULL,"   /* from 0 */
    "  owner INTEGER NOT NULL,"  /* account.id */
    "  status INTEGER NOT NULL,"
    "  released INTEGER NOT NULL,"
    "  snapshots INTEGER NOT NULL,"
    "  pins INTEGER NOT NULL," /* rows of share */
    "  places BLOB NOT NULL,"  /* enum stage_place */
    "  image_id TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  record TEXT NOT NULL"
    ");"

    "CREATE TABLE staging.share ("
    "  pos INTEGER NOT NULL,"
    "  number INTEGER NOT NULL,"  /* in the order of the record */
    "  account INTEGER NOT NULL," /* account.id */
    "  created_ns INTEGER,"       /* NULL: now */
    "  PRIMARY KEY (pos, number)"
    ") WITHOUT ROWID;"

    "CREATE TABLE staging.known (" /* images that the registry has */
    "  pos INTEGER PRIMARY KEY,"
    "  row INTEGER NOT NULL"
    ");"

    /* What one step does; emptied after it. */
    "CREATE TABLE staging.changed (" /* known images that the record changes */
    "  row INTEGER PRIMARY KEY,"
    "  pos INTEGER NOT NULL,"
    "  owner INTEGER NOT NULL," /* row of the registry's account, as below */
    "  renamed INTEGER NOT NULL"
    ");"
    "CREATE TABLE staging.gain (" /* new shares */
    "  id INTEGER PRIMARY KEY,"
    "  image INTEGER NOT NULL,"
    "  owner INTEGER NOT NULL,"
    "  account INTEGER NOT NULL,"
    "  pin TEXT NOT NULL,"
    "  created_ns INTEGER NOT NULL,"
    "  fresh INTEGER NOT NULL" /* the image itself is new */
    ");"
    "CREATE TABLE staging.pair (" /* who gains images of whom */
    "  id INTEGER PRIMARY KEY,"
    "  owner INTEGER NOT NULL,"
    "  account INTEGER NOT NULL,"
    "  pin TEXT NOT NULL,"
    "  images INTEGER NOT NULL,"
    "  edge INTEGER NOT NULL" /* these are the first */
    ");"
    "CREATE TABLE staging.tally (" /* owners whose images change */
    "  owner INTEGER PRIMARY KEY,"
    "  added INTEGER NOT NULL DEFAULT 0,"
    "  changed INTEGER NOT NULL DEFAULT 0,"
    "  renamed INTEGER NOT NULL DEFAULT 0,"
    "  shares INTEGER NOT NULL DEFAULT 0"
    ");";

struct stage_spot import_spot(const struct json_place *place)
{
    return (struct stage_spot){
        .line = place->line < UINT32_MAX ? (uint32_t)place->line : UINT32_MAX,
        .column = place->column < UINT32_MAX ? (uint32_t)place->column : UINT32_MAX,
    };
}

struct stage_spot import_spot_of(sqlite3_stmt *use, int column, enum stage_place which)
{
    const char *blob = sqlite3_column_blob(use, column);
    size_t length = (size_t)sqlite3_column_bytes(use, column);
    size_t at = (size_t)which * sizeof(struct stage_spot);
    struct stage_spot spot = {.line = 1, .column = 1};

    if (blob && at + sizeof(spot) <= length)
        memcpy(&spot, blob + at, sizeof(spot));
    return spot;
}

int import_fault(struct import *import, size_t file, const struct stage_spot *spot)
{
    text_escape(import->error, import->options->files[file]);
    buffer_printf(import->error, ":%u:%u: ", spot->line, spot->column);
    return -EINVAL;
}

void import_quote(struct import *import, const char *quoted)
{
    buffer_puts(import->error, "\"");
    text_escape(import->error, quoted);
    buffer_puts(import->error, "\"");
}

int import_stage_failed(struct import *import, int result)
{
    const struct refusal_row *row = refusal_of(result);

    if (import->error->length > 0)
        return -refusal_errno(result);
    if (row && row->refusal == REFUSAL_STORE_FULL)
        buffer_puts(import->error,
                    "no room for temporary files (in SQLITE_TMPDIR, TMPDIR or /var/tmp); "
                    "nothing was changed");
    else if (row)
        buffer_printf(import->error,
                      "cannot work on temporary files or on %s: %s; nothing was changed",
                      import->store->path, connection_message(&import->connection, result));
    else
        buffer_printf(import->error, "%s; nothing was changed", strerrordesc_np(-result));
    return -refusal_errno(result);
}

void import_report(const struct import *import, enum import_phase phase, int64_t images,
                   int64_t done, int64_t total)
{
    struct import_progress progress = {
        .phase = phase, .images = images, .done = done, .total = total};

    if (import->options->progress)
        import->options->progress(&progress, import->options->context);
}

static int open_stage(struct import *import)
{
    CLEANUP_BUFFER struct buffer cache = BUFFER_INIT(128);
    int result = connection_open(&import->connection, import->store->path, CONNECTION_READ_WRITE,
                                 MAIN_CACHE_KIB, import->error);

    if (result < 0)
        return result;
    /* The log is copied back between steps, when nobody waits for the lock. */
    result = connection_exec(&import->connection, "PRAGMA wal_autocheckpoint = 0");
    if (result >= 0)
        result = connection_exec(&import->connection, stage_sql);
    buffer_printf(&cache, "PRAGMA staging.cache_size = -%d", STAGE_CACHE_KIB);
    if (result >= 0)
        result = connection_exec(&import->connection, buffer_text(&cache));
    /* One transaction of the stage alone: each of its own would write every page again and again.
     */
    if (result >= 0)
        result = connection_exec(&import->connection, "BEGIN");
    return result < 0 ? import_stage_failed(import, result) : 0;
}

static int run(struct import *import)
{
    int result = open_stage(import);

    for (size_t file = 0; file < import->options->file_count && result == 0; file++)
        result = import_read(import, file);
    if (result < 0)
        return result;
    result = connection_exec(&import->connection, "COMMIT");
    if (result < 0)
        return import_stage_failed(import, result);
    import_report(import, IMPORT_CHECKING, import->images, 0, 0);
    result = import_check(import);
    return result < 0 ? result : import_apply(import);
}

int import_run(struct store *store, const struct import_options *options,
               struct import_result *result, struct buffer *error)
{
    struct import import = {
        .store = store,
        .options = options,
        .result = result,
        .error = error,
    };

    memset(result, 0, sizeof(*result));
    if (store->mode != CONNECTION_READ_WRITE)
        return store_explain(store, &store->connection, -REFUSAL_READ_ONLY, error);
    import.last = calloc(options->file_count + 1, sizeof(*import.last));
    if (!import.last) {
        buffer_puts(error, strerrordesc_np(ENOMEM));
        return -ENOMEM;
    }
    int outcome = run(&import);
    if (import.connection.db)
        connection_close(&import.connection);
    free(import.last);
    return outcome;
}
