/*
 * The names under by-name/: what each image of an owner is called there, and which image a name
 * means.
 *
 * An image is NAME where its name is the only one of the owner's (of those that this account sees),
 * else NAME@ID; NAME is then not there. An image whose name can be no file name is @ID. Where a
 * plain name would read as the NAME@ID of another image, it gets its own @ID too, so that every
 * entry means one image. Private images and those of another owner never share a scope.
 */
#ifndef CORE_CATALOG_BY_NAME_H
#define CORE_CATALOG_BY_NAME_H

#include "core/store/view.h"

struct by_name_entry {
    int64_t row; /* of the image */
    int64_t mtime_ns;
    char id[VIEW_NAME_SIZE];
    char name[VIEW_NAME_SIZE]; /* the entry's */
};

/* The image that NAME means among those of OWNER (a pin). 0, -ENOENT, or a negative
 * refusal/errno. */
int by_name_find(struct view *view, const char *owner, const char *name,
                 struct by_name_entry *out) MUST_CHECK;

/* Visits the entries of OWNER after image row AFTER, in the order of rows. The visitor returns 0 to
 * go on. 0 or a negative refusal/errno. */
typedef int (*by_name_visit)(const struct by_name_entry *entry, void *context);
int by_name_list(struct view *view, const char *owner, int64_t after, by_name_visit visit,
                 void *context) MUST_CHECK;

#endif
