/*
 * The inside of a step of an import: what is moved from the stage into the registry, with all that
 * belongs to it. Each function is called inside a step's transaction, which import_apply.c begins
 * and ends.
 */
#ifndef CORE_STORE_IMPORT_MOVE_H
#define CORE_STORE_IMPORT_MOVE_H

#include "core/catalog/event.h"
#include "core/store/import_stage.h"

struct move {
    struct import *import;
    struct connection *connection;
    struct caller caller;      /* of the events */
    int64_t now;               /* the time that the step writes */
    struct import_result done; /* by the step so far */
};

/* All return 0, or a negative refusal/errno, with import->error set where the registry was changed
 * by others after the stage was checked. */

/* The settings that a file brought. */
int move_settings(struct move *move) MUST_CHECK;

/* Makes accounts AFTER+1 to UNTIL of the stage, and sets their mobile numbers. */
int move_accounts(struct move *move, int64_t after, int64_t until) MUST_CHECK;

/* Images of positions LO+1 to HI, all of FILE, with their shares, counters, times, feed rows and
 * events. Their accounts are made already. */
int move_images(struct move *move, size_t file, int64_t lo, int64_t hi) MUST_CHECK;

#endif
