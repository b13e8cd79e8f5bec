/*
 * Listing a directory: READDIR and READDIRPLUS from the store, a page at a time.
 *
 * The offset of an entry says where to go on after it: 1 and 2 for "." and "..", then the entry's
 * row (or its place in a fixed directory) plus LIST_FIRST. Rows are never used again and the store
 * pages by key, so that entries that come and go between two calls make no other be missed or seen
 * twice.
 */
#ifndef FS_LIST_H
#define FS_LIST_H

#include "fs/tree.h"

#define LIST_FIRST 2

/* Fills BUFFER (SIZE bytes) with entries of directory INODE after OFFSET; PLUS for READDIRPLUS.
 * Returns the bytes used, -ESTALE, -ENOTDIR, or a negative refusal/errno. */
ssize_t list_directory(struct mount *mount, struct view *view, fuse_req_t request,
                       const struct inode *inode, off_t offset, bool plus, char *buffer,
                       size_t size) MUST_CHECK;

#endif
