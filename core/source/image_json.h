/*
 * An image's record as the JD Cloud API writes it, and what this program takes from it.
 *
 * All members but imageId may be absent; unknown ones are kept in the record and not looked at. A
 * record is text here, well-formed JSON as json_text.h asks for it: of its thirty members few are
 * ever wanted at a time.
 */
#ifndef CORE_SOURCE_IMAGE_JSON_H
#define CORE_SOURCE_IMAGE_JSON_H

#include "core/base/buffer.h"
#include "core/rules/rules.h"

#include <stddef.h>

/* What the rules and the tree need of a record. The strings are freed by image_json_dispose(). */
struct image_json {
    char *id;
    char *name;  /* "" where absent */
    char *owner; /* pin, NULL where absent */
    enum image_status status;
    bool released; /* launchPermission "all" of what is no image of the provider's */
    unsigned snapshots;
};

void image_json_dispose(struct image_json *image);
#define CLEANUP_IMAGE_JSON __attribute__((cleanup(image_json_dispose)))

/* What is wrong with a record: the member at fault (static; NULL for the record itself), and why.
 */
struct image_json_fault {
    const char *member;
    char why[160];
};

/* Checks RECORD and takes from it into *OUT, which is to be disposed of in any case. Returns 0,
 * -EINVAL with *FAULT set, or -ENOMEM. */
int image_json_read(const char *record, size_t length, struct image_json *out,
                    struct image_json_fault *fault) MUST_CHECK;

/* Takes from RECORD what there is, as an answer of the service may have it: anything but the id may
 * be missing or of another kind, and an unknown status counts as pending, which nobody can share.
 * *OUT is to be disposed of in any case. Returns 0, -EINVAL where there is no id that a file name
 * can be, or -ENOMEM. */
int image_json_take(const char *record, size_t length, struct image_json *out) MUST_CHECK;

/* Appends the first snapshot that RECORD references (system disk first), nothing if there is none.
 */
void image_json_snapshot(const char *record, size_t length, struct buffer *out);

/* Appends member NAME as text: a string escaped, an integer in decimal, nothing for anything else.
 */
void image_json_text(const char *record, size_t length, const char *name, struct buffer *out);

#endif
