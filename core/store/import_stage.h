/*
 * The inside of import, shared by its four files: import.c (the run of it), import_read.c (files
 * into the stage), import_check.c (the stage against the registry), import_apply.c (the stage into
 * the registry).
 *
 * The stage is a temporary database, attached as "staging" to a connection of import's own; SQLite
 * removes its file as soon as it is open. Its tables are in import.c.
 */
#ifndef CORE_STORE_IMPORT_STAGE_H
#define CORE_STORE_IMPORT_STAGE_H

#include "core/store/import.h"
#include "core/store/json_span.h"
#include "core/store/json_text.h"
#include "core/store/query.h"

/* Places kept for each image, in the column places; a member that is not there has the record's. */
enum stage_place {
    STAGE_PLACE_RECORD,
    STAGE_PLACE_ID,
    STAGE_PLACE_OWNER,
    STAGE_PLACE_PINS,

    STAGE_PLACES
};

/* A place as it is stored. */
struct stage_spot {
    uint32_t line, column;
};

struct import {
    struct store *store;
    const struct import_options *options;
    struct import_result *result;
    struct buffer *error;
    struct connection connection; /* the stage is attached to it */

    /* What the stage holds. */
    int64_t images;   /* rows; positions are 1 to this */
    int64_t *last;    /* by file: the last position after it was read */
    int64_t shares;   /* rows */
    int64_t accounts; /* rows */
    int64_t weight;   /* of all images: import_apply.c */
    int64_t known;    /* images that the registry has already */

    /* The settings that a file brings, if one does. */
    bool has_settings;
    int64_t limit;
    enum snapshot_policy policy;
    size_t settings_file;
    struct stage_spot settings_spot;
};

/* Roughly how many microseconds moving an image takes; measured, and corrected by the time that
 * each step takes. */
#define STAGE_WEIGHT_IMAGE 10
#define STAGE_WEIGHT_SHARE 16
#define STAGE_WEIGHT_BYTES 150 /* so many bytes of a record are one */

/* Reads FILE (an index) into the stage. */
int import_read(struct import *import, size_t file) MUST_CHECK;

/* Checks the stage by itself and against the registry, and notes which images are known. */
int import_check(struct import *import) MUST_CHECK;

/* Moves the stage into the registry. */
int import_apply(struct import *import) MUST_CHECK;

/* These return 0, or a negative errno with import->error set; so do all of the above. */

/* Says FILE:LINE:COLUMN of SPOT in the error; what is wrong is to be appended. Returns -EINVAL. */
int import_fault(struct import *import, size_t file, const struct stage_spot *spot);

/* The spot for PLACE. */
struct stage_spot import_spot(const struct json_place *place);

/* SPOT number WHICH of the blob in COLUMN of USE. */
struct stage_spot import_spot_of(sqlite3_stmt *use, int column, enum stage_place which);

/* Appends QUOTED in quotes, escaped, to the error. */
void import_quote(struct import *import, const char *quoted);

/* What RESULT, a negative refusal/errno, of working on the stage means. */
int import_stage_failed(struct import *import, int result);

/* Reports progress. */
void import_report(const struct import *import, enum import_phase phase, int64_t images,
                   int64_t done, int64_t total);

#endif
