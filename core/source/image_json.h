/*
 * An image's record as the JD Cloud API writes it, and what this program takes from it.
 *
 * All members but imageId may be absent; unknown ones are kept in the record and not looked at.
 */
#ifndef CORE_SOURCE_IMAGE_JSON_H
#define CORE_SOURCE_IMAGE_JSON_H

#include "core/base/text.h"
#include "core/rules/rules.h"

#include <jansson.h>

/* What the rules and the tree need of a record. The strings belong to the JSON object. */
struct image_json {
    const char *id;
    const char *name;  /* "" where absent */
    const char *owner; /* pin, NULL where absent */
    enum image_status status;
    bool released; /* launchPermission "all" of what is no image of the provider's */
    unsigned snapshots;
};

/* What is wrong with a record: the member at fault (static or the object's; NULL for the record
 * itself), and why. */
struct image_json_fault {
    const char *member;
    char why[160];
};

/* Checks RECORD and takes from it. Returns 0, or -EINVAL with *FAULT set. */
int image_json_read(const json_t *record, struct image_json *out,
                    struct image_json_fault *fault) MUST_CHECK;

/* Takes from RECORD what there is, as an answer of the service may have it: anything but the id may
 * be missing or of another kind, and an unknown status counts as pending, which nobody can share.
 * Returns 0, or -EINVAL where there is no id that a file name can be. */
int image_json_take(const json_t *record, struct image_json *out) MUST_CHECK;

/* The first snapshot that RECORD references (system disk first), "" if there is none. */
const char *image_json_snapshot(const json_t *record);

/* Member NAME as text: a string as it is, an integer in decimal, anything else "". */
void image_json_text(const json_t *record, const char *name, struct buffer *out);

#endif
