/*
 * The operations of the low-level API, by what they do:
 *   operations.c  the table, and what only reads: lookup, getattr, readlink, statfs
 *   files.c       open, read, write, release, fsync
 *   directories.c opendir, readdir, readdirplus
 *   changes.c     create, mknod, unlink, setattr, and the calls that are always refused
 *
 * An operation decodes the inode, asks core/, and replies; it decides nothing. Refusals of core
 * become errnos in one place, reply_error().
 */
#ifndef FS_OPERATIONS_H
#define FS_OPERATIONS_H

#include "fs/tree.h"

/* The table for fuse_session_new(), with struct mount * as its user data. Static. */
const struct fuse_lowlevel_ops *operations_table(void);

/* Replies RESULT (0 or a negative refusal/errno) to REQUEST. */
void reply_error(fuse_req_t request, int result);

/* What nearly every operation begins with. */
struct call {
    struct mount *mount;
    struct view *view;
    struct inode inode;
};

/* Fills OUT for inode NUMBER. False when that failed, and then REQUEST has been answered. */
bool call_begin(fuse_req_t request, fuse_ino_t number, struct call *out) MUST_CHECK;

/* Fills a reply from a node. */
struct fuse_entry_param call_entry(const struct tree_node *node);

/* files.c */
void operation_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void operation_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                    struct fuse_file_info *info);
void operation_write(fuse_req_t request, fuse_ino_t number, const char *data, size_t size,
                     off_t offset, struct fuse_file_info *info);
void operation_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void operation_fsync(fuse_req_t request, fuse_ino_t number, int data_only,
                     struct fuse_file_info *info);
/* Why it must not be said that SHARE is there: 0, or a negative refusal/errno. */
int files_doubt(const struct call *call, const struct view_share *share) MUST_CHECK;
/* How a share that was opened or made is to be treated by the kernel. */
void files_set_share(struct fuse_file_info *info);

/* directories.c */
void operation_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info);
void operation_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                       struct fuse_file_info *info);
void operation_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                           struct fuse_file_info *info);

/* changes.c */
void operation_create(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *info);
void operation_mknod(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode,
                     dev_t device);
void operation_unlink(fuse_req_t fuse, fuse_ino_t parent, const char *name);
void operation_rmdir(fuse_req_t fuse, fuse_ino_t parent, const char *name);
void operation_mkdir(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode);
void operation_symlink(fuse_req_t fuse, const char *target, fuse_ino_t parent, const char *name);
void operation_link(fuse_req_t fuse, fuse_ino_t number, fuse_ino_t parent, const char *name);
void operation_rename(fuse_req_t fuse, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                      const char *new_name, unsigned flags);
void operation_setattr(fuse_req_t fuse, fuse_ino_t number, struct stat *wanted, int to_set,
                       struct fuse_file_info *info);

/* Refuses FUSE with -REFUSAL and writes it down: VERB is the call's name (static), INODE what it
 * was about (or the directory of NAME), NAME may be NULL. */
void change_refuse(fuse_req_t fuse, const char *verb, const struct inode *inode, const char *name,
                   int refusal);

#endif
