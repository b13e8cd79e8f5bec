/*
 * The inside of reading a file into the stage: import_read.c (files, accounts and settings) and
 * import_image.c (images).
 */
#ifndef CORE_STORE_IMPORT_READER_H
#define CORE_STORE_IMPORT_READER_H

#include "core/base/text.h"
#include "core/store/import_stage.h"

#include <jansson.h>

static inline void reader_release_json(json_t **json)
{
    json_decref(STEAL(*json));
}

#define CLEANUP_JSON __attribute__((cleanup(reader_release_json)))

/* Statements that run for every record. */
enum reader_statement {
    READER_FIND_ACCOUNT,
    READER_ADD_ACCOUNT,
    READER_LIST_ACCOUNT,
    READER_ADD_IMAGE,
    READER_ADD_SHARE,

    READER_STATEMENTS
};

/* A file being read. */
struct reader {
    struct import *import;
    size_t file; /* index */
    int fd;
    int64_t bytes;         /* read so far */
    int64_t size;          /* of the file, 0 where unknown */
    int64_t unreported;    /* records */
    bool any;              /* bytes other than white space were read */
    struct json_span span; /* the value at hand */
    struct buffer record;  /* an image's JSON as it will be kept */
    struct stage_spot spots[STAGE_PLACES];
    char owner[TEXT_NAME_MAX + 1]; /* the owner before, */
    int64_t owner_account;         /* and its number: images of one owner follow each other */
    sqlite3_stmt *statements[READER_STATEMENTS];
};

/* All of these return 0, or a negative errno with the import's error set, unless they say
 * otherwise. */

/* Takes the image that the value at hand is; it is well-formed. */
int reader_take_image(struct reader *reader) MUST_CHECK;

/* The number of the account PIN in the stage, made where it is new and first met at SPOT. *LISTED
 * is the file that has a line for it, or -1. */
int reader_account(struct reader *reader, const char *pin, const struct stage_spot *spot,
                   int64_t *account, int64_t *listed) MUST_CHECK;

/* Steps USE: 1 for a row, 0 at the end. */
int reader_run(struct reader *reader, sqlite3_stmt *use) MUST_CHECK;

/* Where member NAME of the value at hand is, and the member; 0 and none where there is none. */
size_t reader_offset(const struct reader *reader, const char *name, struct json_item *item);

/* Says in the error where byte OFFSET of the value at hand is; what is wrong is to be appended.
 * Returns -EINVAL, as those below. */
int reader_fault(struct reader *reader, size_t offset);
/* Says WHY at member NAME, or at the value itself where NAME is NULL or not there. */
int reader_fault_member(struct reader *reader, const char *name, const char *why);
/* Says WHY at element INDEX of the array NAME, behind PIN in quotes unless that is NULL. */
int reader_fault_element(struct reader *reader, const char *name, size_t index, const char *pin,
                         const char *why);

#endif
