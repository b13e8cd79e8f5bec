/*
 * What the store itself can do: a bare loop over SQLite that runs the statements of a share or a
 * cancel (share, counters, feed, event), with the durability of the writer.
 *
 * usage: bound REGISTRY share|cancel FILE COUNT
 *
 * FILE has lines "IMAGE_ID PIN"; COUNT of them go into one commit. No FUSE, no rule, no lock, no thread:
 * what is missing here is what the filesystem adds. Prints the nanoseconds that it took.
 */
#include "core/base/text.h"
#include "core/store/store.h"
#include "core/store/write.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* A line as long as the log's usual ones. */
#define LINE                                                                                       \
    "2026-01-01T00:00:00.000000000Z action=share image=img-0000000000 pin=account-0000 "           \
    "outcome=done uid=0 pid=12345 exe=/usr/bin/touch\n"

struct bound {
    struct store store;
    int64_t account;
    bool cancel;
    unsigned long together; /* changes of one transaction, 1 or more */
    unsigned long begun;    /* changes of the present transaction, 0 outside */
};

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What a transaction does for each. */
static int change(struct bound *bound, int64_t image, const char *pin)
{
    struct connection *connection = &bound->store.connection;
    int64_t now = text_now();
    int64_t row = 0;
    int64_t created_ns = 0;
    int result = 0;

    if (bound->cancel) {
        result = write_find_share(connection, image, pin, &row, &created_ns);
        if (result != 1)
            return result < 0 ? result : -ENOENT;
        result = write_cancel(connection, row, image, bound->account, pin, now);
    } else {
        result = write_share(connection, image, bound->account, pin, now, &row);
    }
    if (result == 0)
        result = feed_add(connection, now, 1, bound->cancel ? FEED_CANCELLED : FEED_SHARED, image,
                          image, pin);
    return result < 0 ? result : write_event(connection, bound->account, now, LINE);
}

static int end_transaction(struct bound *bound)
{
    if (bound->begun == 0)
        return 0;
    bound->begun = 0;
    return statement_run(&bound->store.connection, STATEMENT_COMMIT, "");
}

static int change_next(struct bound *bound, int64_t image, const char *pin)
{
    int result = 0;

    if (bound->begun == 0)
        result = statement_run(&bound->store.connection, STATEMENT_BEGIN, "");
    if (result == 0)
        result = change(bound, image, pin);
    if (result == 0 && ++bound->begun == bound->together)
        result = end_transaction(bound);
    return result;
}

/* The row of an image, kept from line to line: a filesystem has it from the inode number. */
static int find_image(struct bound *bound, const char *id, int64_t *row)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(bound->store.connection.db,
                                "SELECT id FROM image WHERE image_id = ?1", -1, &statement, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW)
        *row = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? 0 : -ENOENT;
}

static int run(struct bound *bound, FILE *in, int64_t *spent_ns)
{
    char id[VIEW_NAME_SIZE];
    char pin[VIEW_NAME_SIZE];
    char last[VIEW_NAME_SIZE] = "";
    int64_t image = 0;

    while (fscanf(in, "%255s %255s", id, pin) == 2) {
        int result = 0;
        if (strcmp(id, last) != 0) {
            result = find_image(bound, id, &image);
            (void)snprintf(last, sizeof(last), "%s", id);
        }
        int64_t begun_ns = now_ns();
        if (result == 0)
            result = change_next(bound, image, pin);
        if (result < 0) {
            (void)fprintf(stderr, "bound: %s %s: %s\n", id, pin,
                          connection_message(&bound->store.connection, result));
            return 1;
        }
        *spent_ns += now_ns() - begun_ns;
    }
    int64_t begun_ns = now_ns();
    int result = end_transaction(bound);
    *spent_ns += now_ns() - begun_ns;
    return result < 0;
}

int main(int argc, char **argv)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct bound bound = {.store = {.lock_fd = -1}};
    char pin[VIEW_NAME_SIZE];
    int64_t spent_ns = 0;

    if (argc == 5)
        bound.together = strtoul(argv[4], NULL, 10);
    if (bound.together == 0) {
        (void)fprintf(stderr, "usage: bound REGISTRY share|cancel FILE COUNT\n");
        return 2;
    }
    bound.cancel = strcmp(argv[2], "cancel") == 0;
    CLEANUP_FCLOSE FILE *in = fopen(argv[3], "re");
    if (!in) {
        (void)fprintf(stderr, "bound: %s: %s\n", argv[3], strerror(errno));
        return 1;
    }
    int result = store_open(argv[1], &bound.store, &error);
    if (result == 0)
        result = store_account(&bound.store, "jcloud-demo", &bound.account, pin, &error);
    if (result < 0) {
        (void)fprintf(stderr, "bound: %s\n", buffer_text(&error));
        return 1;
    }
    result = run(&bound, in, &spent_ns);
    store_close(&bound.store);
    if (result == 0)
        result = printf("%lld\n", (long long)spent_ns) < 0;
    return result;
}
