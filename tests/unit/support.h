/*
 * What the unit tests share: a registry of their own, mounts of it without a kernel, and asserts
 * that speak of refusals.
 *
 * A suite that needs a registry takes registry_setup() and registry_teardown() for its tests, and
 * finds a struct registry in *state: empty, with the default settings. Accounts, images and shares
 * are put in as import would, past the rules; what a test is about goes through a mount.
 */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

#include "core/base/names.h"
#include "core/catalog/catalog.h"
#include "core/rules/refusal.h"
#include "core/store/view.h"

#include <limits.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* --- a registry --- */

struct registry {
    char directory[PATH_MAX]; /* of this test, removed at its end */
    char path[PATH_MAX];
    sqlite3 *db; /* the tests' own window into it */
};

int registry_setup(void **state);
int registry_teardown(void **state);

/* A fresh directory without a registry in it; registry->path names what is not there yet. */
int directory_setup(void **state);
int directory_teardown(void **state);

/* Writes TEXT to the file NAME in the registry's directory and gives its path, which is valid until
 * the next call. */
const char *registry_file(const struct registry *registry, const char *name, const char *text);

/* An account, perhaps with a mobile number (or NULL); gives its row. */
int64_t registry_account(const struct registry *registry, const char *pin, const char *mobile);

struct sample {
    const char *id;
    const char *owner; /* pin of an account that is there */
    const char *name;  /* NULL: the id */
    enum image_status status;
    bool released;
    unsigned snapshots;
    const char *record; /* NULL: {"imageId": ID} */
};

/* An image; gives its row. REGISTRY_IMAGE(registry, .id = "img-1", .owner = "me") reads better. */
int64_t registry_image(const struct registry *registry, const struct sample *sample);
#define REGISTRY_IMAGE(registry, ...)                                                              \
    registry_image((registry), &(const struct sample){__VA_ARGS__})

/* Shares IMAGE with PIN, past all rules; gives the share's row. */
int64_t registry_share(const struct registry *registry, int64_t image, const char *pin);

/* Makes accounts PREFIX01 to PREFIXnn, and shares IMAGE with each. */
void registry_share_many(const struct registry *registry, int64_t image, const char *prefix,
                         int count);

/* Runs SQL, and the number in the first column of the first row that SQL gives. */
void registry_sql(const struct registry *registry, const char *format, ...) PRINTF_LIKE(2, 3);
int64_t registry_number(const struct registry *registry, const char *format, ...) PRINTF_LIKE(2, 3);

/* Everything that the registry holds but the log: settings, accounts, images, shares, the feed, and
 * the row ids given so far. To be freed. */
char *registry_dump(const struct registry *registry);

/* --- a mount --- */

struct mount {
    struct catalog *catalog;
    struct view view;
};

/* Mounts REGISTRY for the account PIN, or as OPTIONS say (its path is filled in). */
struct mount *mount_open(const struct registry *registry, const char *pin);
struct mount *mount_open_as(const struct registry *registry, struct catalog_options options);
void mount_close(struct mount *mount);

/* A change and a place to wait for its end. */
struct request {
    struct change change;
    sem_t ended;
    int result;
    int times_done;
};

/* The request to ACTION the share of IMAGE with NAME, by uid 1000, process 4711, touch. */
struct request request_of(enum change_action action, int64_t image, const char *name);

/* Hands REQUEST to the mount; waits for its end, and gives its result; both. */
void request_begin(struct mount *mount, struct request *request);
int request_end(struct request *request);
int request_run(struct mount *mount, struct request *request);

/* The same in one call. */
int mount_share(struct mount *mount, int64_t image, const char *pin);
int mount_cancel(struct mount *mount, int64_t image, const char *pin);
int mount_refuse(struct mount *mount, const char *verb, int64_t image, const char *name,
                 enum refusal refusal);

/* The pins that IMAGE is shared with as the mount sees them, in the order of sharing, separated by
 * a space. Valid until the next call. */
const char *mount_pins(struct mount *mount, int64_t image);

/* The file events, whole. Valid until the next call. */
const char *mount_events(struct mount *mount);

/* --- what the tests look at --- */

/* Collects names of a listing, separated by a space. */
struct listing {
    struct buffer text;
    int64_t last; /* row of the last entry */
    int count;
    int most; /* stop after so many; 0 = never */
};

#define LISTING_INIT                                                                               \
    {                                                                                              \
        .text = BUFFER_INIT(1 << 20), .last = 0, .count = 0, .most = 0                             \
    }
#define CLEANUP_LISTING __attribute__((cleanup(listing_dispose)))

void listing_dispose(struct listing *listing);
void listing_add_name(struct listing *listing, int64_t row, const char *name);
/* A view_visit with a struct listing as its context. */
int listing_add(const struct view_entry *entry, void *context);

/* RESULT is success; RESULT is the refusal whose code is CODE. */
#define assert_done(result) assert_result((result), NULL, __FILE__, __LINE__)
#define assert_refused(result, code) assert_result((result), (code), __FILE__, __LINE__)
void assert_result(int result, const char *code, const char *file, int line);

/* TEXT holds PART, or does not. */
#define assert_holds(text, part) assert_part((text), (part), true, __FILE__, __LINE__)
#define assert_lacks(text, part) assert_part((text), (part), false, __FILE__, __LINE__)
void assert_part(const char *text, const char *part, bool wanted, const char *file, int line);

/* From now on file modes bind this process, as they bind everybody but root. */
void obey_file_modes(void);

/* Adds the words of TEXT to NAMES, and sorts them. */
void names_fill(struct names *names, const char *text);

/* Waits, also where a signal comes. */
void semaphore_wait(sem_t *semaphore);

/* Milliseconds of a clock that only goes forward. */
int64_t clock_ms(void);

#endif
