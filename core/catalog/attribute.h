/*
 * The attribute files of an image: one value a file, with a newline; a value that the source lacks
 * is an empty file.
 *
 * An attribute's number is part of its inode number and is never given to another one; the order of
 * listing is the order of the table.
 */
#ifndef CORE_CATALOG_ATTRIBUTE_H
#define CORE_CATALOG_ATTRIBUTE_H

#include "core/catalog/catalog.h"

/* Longer than any record that import takes (IMPORT_RECORD_MAX). */
#define ATTRIBUTE_MAX (17 << 20)

struct attribute {
    const char *name;
    unsigned number;  /* below ATTRIBUTE_NUMBERS; part of the inode number, never given anew */
    bool derived;     /* changes without the image changing: never cached by the kernel */
    bool shared_only; /* only in shared/ */
};

/* Bound of attribute numbers. */
#define ATTRIBUTE_NUMBERS 32

/* Attribute INDEX in the order of listing, or NULL past the end. Static. */
const struct attribute *attribute_at(size_t index);
/* By name, or by number; NULL if there is none. Static. */
const struct attribute *attribute_find(const char *name);
const struct attribute *attribute_by_number(unsigned number);

/* An image opened to have attributes formatted. */
struct attribute_image {
    struct catalog *catalog;
    struct view *view;
    struct view_record record;
    bool sound; /* the record was found to be well-formed */
};

/* Reads image ROW. 0 with *OUT to be closed, -ENOENT, or a negative refusal/errno. */
int attribute_open(struct catalog *catalog, struct view *view, int64_t row,
                   struct attribute_image *out) MUST_CHECK;
void attribute_close(struct attribute_image *image);

/* Appends the content of ATTRIBUTE to OUT. 0 or a negative refusal/errno. */
int attribute_format(struct attribute_image *image, const struct attribute *attribute,
                     struct buffer *out) MUST_CHECK;

#endif
