/*
 * A window into a registry's tables, apart from core/: what a change did to them is compared with
 * what the model says, the counters, the times of directories and the feed included.
 */
#ifndef TESTS_FUZZ_WINDOW_H
#define TESTS_FUZZ_WINDOW_H

#include "tests/fuzz/model.h"

#include <sqlite3.h>

/* The directories of an account that have a time of their own. */
enum window_directory {
    WINDOW_PRIVATE,
    WINDOW_NAMES, /* by-name/private/ */
    WINDOW_RECEIVED,
    WINDOW_OWNERS,     /* by-name/shared/ */
    WINDOW_RECIPIENTS, /* by-account/ */
    WINDOW_DIRECTORIES
};

struct window_account {
    int64_t row; /* 0 = there is none */
    int64_t images, received;
    int64_t times[WINDOW_DIRECTORIES];
    int64_t events_end;
};

struct window_image {
    int64_t row, shares;
    int64_t shares_ns, added_ns, changed_ns;
};

struct window_share {
    int64_t row, created_ns;
};

struct window_recipient {
    int64_t row, images, changed_ns;
};

/* All that the tables hold, by the model's numbers. */
struct window_state {
    struct window_account accounts[MODEL_PINS];
    struct window_image images[MODEL_IMAGES];
    struct window_share shares[MODEL_IMAGES][MODEL_PINS];
    struct window_recipient recipients[MODEL_PINS][MODEL_PINS]; /* [owner][pin] */
    int64_t last_share;                                         /* highest row ever seen */
    int64_t last_feed;
};

/* How often the members of each directory changed. */
struct window_touched {
    int accounts[MODEL_PINS][WINDOW_DIRECTORIES];
    int images[MODEL_IMAGES]; /* shares/ */
    int records[MODEL_IMAGES];
    int recipients[MODEL_PINS][MODEL_PINS];
};

/* A row that the feed must have gained; of an import all images between them. */
struct window_news {
    int count;
    struct {
        bool cancel;
        int image, pin;
        int64_t writer;
    } changes[8];
    bool import;
    uint32_t images; /* that an import added or changed */
};

struct window {
    sqlite3 *db;
    sqlite3_stmt *statements[5];
    struct window_state state; /* when it was last looked at */
};

void window_open(struct window *window, const char *path);
void window_close(struct window *window);

/* Adds to TOUCHED what a change that led from BEFORE to AFTER touches. */
void window_touch(struct window_touched *touched, const struct model *before,
                  const struct model *after);

/* The images that an import which led from BEFORE to AFTER added, changed or shared. */
uint32_t window_changed(const struct model *before, const struct model *after);

/* Looks again, and requires that the tables are what MODEL says, that what TOUCHED names has a
 * later time, and all else the time of before, and that the feed has gained NEWS and nothing else.
 * NOW is the clock of the change. */
void window_require(struct window *window, const struct model *model,
                    const struct window_touched *touched, const struct window_news *news,
                    int64_t now);

#endif
