/* Import: from the stage into the registry. See import_stage.h.
 *
 * A step is one transaction under the writers' lock, and leaves the registry whole: images with all
 * their shares, counters, times, feed and events. Between steps the lock is free, and the log is
 * copied back into the file. What is short is one step. */
#include "core/store/import_move.h"

#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/lock.h"
#include "core/store/transaction.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* A step holds the lock as long as nobody waits for it, but at most so long; and so long in any
 * case, since each commit costs. Who waits then waits for the chunk of images under way, and for
 * the commit. Nanoseconds. */
#define STEP_NS_MAX 600000000LL
#define STEP_NS_MIN 80000000LL
/* How long a commit should take: it grows with what the step has written. */
#define COMMIT_NS 300000000LL
/* Weight of a chunk, and of the most that is moved at once: microseconds as estimated. */
#define CHUNK_WEIGHT 20000
#define ONCE_WEIGHT 150000
/* Accounts made in one step. */
#define STEP_ACCOUNTS 5000
/* Pages of the log from which on a step waits until all of it is copied back, so that it begins
 * anew: with a mount that commits all the time it would grow without end. */
#define LOG_PAGES_MAX 32768

struct apply {
    struct import *import;
    struct connection *connection;
    bool at_once;
    int64_t begun_ns; /* when the lock was there, by the monotonic clock */
    int64_t most_ns;  /* how long a step holds it at most */
    int log_pages;    /* in the log after the last step */
    int64_t moved;    /* images that are in the registry for good */
    struct move move; /* the step under way */
};

static int64_t monotonic_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Says why the import ends here. */
static int apply_failed(struct apply *apply, int result)
{
    struct import *import = apply->import;
    const struct refusal_row *row = refusal_of(result);

    if (row && row->refusal == REFUSAL_INTERRUPTED)
        buffer_puts(import->error, "stopped by a signal");
    else if (import->error->length == 0)
        result = store_explain(import->store, apply->connection, result, import->error);
    if (apply->moved > 0)
        buffer_printf(import->error, "; %lld of %lld images were imported: import again to go on",
                      (long long)apply->moved, (long long)import->images);
    else
        buffer_puts(import->error, "; nothing was imported");
    return -refusal_errno(result);
}

static void find_caller(struct caller *caller)
{
    CLEANUP_FCLOSE FILE *login = fopen("/proc/self/loginuid", "re");
    char line[32] = "";

    caller->uid = getuid();
    caller->process = getpid();
    ssize_t length = readlink("/proc/self/exe", caller->executable, sizeof(caller->executable) - 1);
    caller->executable[length > 0 ? length : 0] = '\0';
    if (login && fgets(line, sizeof(line), login)) {
        char *end = line;
        unsigned long number = strtoul(line, &end, 10);
        caller->has_login = end != line && number < UINT32_MAX; /* the largest: not set */
        caller->login = (uid_t)number;
    }
}

/* Copies the log back into the file, without keeping anybody from writing. What fails here is left
 * to the next one. */
static void copy_log(struct apply *apply)
{
    int pages = 0;

    if (sqlite3_wal_checkpoint_v2(apply->connection->db, "main", SQLITE_CHECKPOINT_PASSIVE, &pages,
                                  NULL) == SQLITE_OK)
        apply->log_pages = pages;
}

static int step_begin(struct apply *apply)
{
    struct import *import = apply->import;

    int result = transaction_begin(import->store, apply->connection, import->options->stop,
                                   import->options->context);
    if (result < 0)
        return result;
    apply->begun_ns = monotonic_ns();
    if (apply->log_pages > LOG_PAGES_MAX) {
        /* Under the lock nobody can add to it: what little came since the last time is copied, and
         * the next write begins a new log. */
        result = connection_exec(apply->connection, "ROLLBACK");
        copy_log(apply);
        if (result == 0)
            result = statement_run(apply->connection, STATEMENT_BEGIN, "");
        if (result < 0) {
            transaction_abort(import->store, apply->connection);
            return result;
        }
    }
    apply->move.now = text_now();
    apply->move.done = (struct import_result){0};
    return 0;
}

static int step_end(struct apply *apply)
{
    struct import *import = apply->import;
    struct import_result *result = import->result;
    int64_t before_ns = monotonic_ns();
    int committed = transaction_commit(import->store, apply->connection);

    if (committed < 0)
        return committed;
    int64_t commit_ns = monotonic_ns() - before_ns;
    result->images += apply->move.done.images;
    result->added += apply->move.done.added;
    result->updated += apply->move.done.updated;
    result->shares += apply->move.done.shares;
    result->accounts += apply->move.done.accounts;
    apply->moved = result->images;
    import_report(import, IMPORT_MOVING, apply->moved, apply->moved, import->images);
    /* A long commit: the disk is slow, or much was written. Then the next step writes less. */
    apply->most_ns = commit_ns > COMMIT_NS ? apply->most_ns / 2 : apply->most_ns + STEP_NS_MIN;
    if (apply->most_ns > STEP_NS_MAX)
        apply->most_ns = STEP_NS_MAX;
    return 0;
}

/* Whether it is time to give the lock back. */
static bool step_is_long(struct apply *apply)
{
    int64_t held_ns = monotonic_ns() - apply->begun_ns;

    return !apply->at_once && held_ns >= STEP_NS_MIN &&
           (held_ns >= apply->most_ns || lock_is_awaited(apply->import->store->lock_fd));
}

/* Ends the step and begins another, if it is time. */
static int step_next(struct apply *apply)
{
    const struct import_options *options = apply->import->options;
    /* Whoever waits for the lock gets it: an flock is not handed over, and is lost to the first. */
    const struct timespec pause = {.tv_nsec = 2000000};

    if (!step_is_long(apply))
        return 0;
    int result = step_end(apply);
    if (result < 0)
        return result;
    copy_log(apply);
    (void)nanosleep(&pause, NULL);
    if (options->stop && options->stop(options->context))
        return -REFUSAL_INTERRUPTED;
    return step_begin(apply);
}

/* The weight of all images up to position POS. */
static int weight_of(struct apply *apply, int64_t pos, int64_t *weight)
{
    *weight = 0;
    int result = query_value(apply->connection, "SELECT weight FROM staging.image WHERE pos = ?1",
                             weight, "i", pos);
    return result < 0 ? result : 0;
}

/* How far a chunk from position LO goes, END at most: as far as its weight allows, one image at
 * least. */
static int choose_end(struct apply *apply, int64_t lo, int64_t end, int64_t *hi)
{
    int64_t begin = 0;
    int64_t weight = 0;
    int64_t low = lo + 1; /* is taken */
    int64_t high = end;
    int result = weight_of(apply, lo, &begin);

    while (result == 0 && low < high && !apply->at_once) {
        int64_t middle = low + (high - low + 1) / 2;
        result = weight_of(apply, middle, &weight);
        if (weight - begin <= CHUNK_WEIGHT)
            low = middle;
        else
            high = middle - 1;
    }
    *hi = apply->at_once ? end : low;
    return result;
}

/* The images of FILE. */
static int apply_file(struct apply *apply, size_t file)
{
    struct import *import = apply->import;
    int64_t lo = file > 0 ? import->last[file - 1] : 0;
    int64_t end = import->last[file];
    int result = 0;

    while (result == 0 && lo < end) {
        int64_t hi = 0;
        result = choose_end(apply, lo, end, &hi);
        if (result == 0)
            result = move_images(&apply->move, file, lo, hi);
        lo = hi;
        if (result == 0)
            result = step_next(apply);
    }
    return result;
}

static int apply_all(struct apply *apply)
{
    struct import *import = apply->import;
    int result = step_begin(apply);

    if (result < 0)
        return result;
    result = move_settings(&apply->move);
    for (int64_t done = 0; result == 0 && done < import->accounts; done += STEP_ACCOUNTS) {
        int64_t until = done + STEP_ACCOUNTS;
        result = move_accounts(&apply->move, done, until);
        if (result == 0)
            result = step_next(apply);
    }
    for (size_t file = 0; result == 0 && file < import->options->file_count; file++)
        result = apply_file(apply, file);
    return result < 0 ? result : step_end(apply);
}

int import_apply(struct import *import)
{
    struct apply apply = {
        .import = import,
        .connection = &import->connection,
        .at_once = import->weight <= ONCE_WEIGHT && import->accounts <= STEP_ACCOUNTS,
        .most_ns = STEP_NS_MAX,
        .move = {.import = import, .connection = &import->connection},
    };

    find_caller(&apply.move.caller);
    if (import->options->moving)
        import->options->moving(import->options->context);
    int result = apply_all(&apply);
    if (result == 0) {
        copy_log(&apply);
        return 0;
    }
    result = apply_failed(&apply, result);
    /* Where the step never began, or a commit failed, there is none to undo. */
    if (!sqlite3_get_autocommit(apply.connection->db))
        transaction_abort(import->store, apply.connection);
    return result;
}
