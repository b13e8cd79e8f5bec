/*
 * The tree: what an inode looks like, and what a name in a directory is.
 *
 * Here the store's rows become struct stat. Everything is answered from the calling thread's view.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "fs/inode.h"
#include "fs/mount.h"

#include <sys/stat.h>

/* What there is one of, and where: the static part of the tree. */
struct tree_fixed {
    enum inode_kind parent;
    enum inode_kind kind;
    const char *name;
};

/* Fixed entry INDEX of the tree, or NULL past the end. Static. */
const struct tree_fixed *tree_fixed_at(size_t index);

/* An inode with its attributes, and how long the kernel may keep them. */
struct tree_node {
    struct inode inode;
    struct stat status;
    double entry_timeout; /* seconds */
    double attr_timeout;
};

/* Attributes of INODE. 0; -ESTALE where its row is gone or not visible; or a negative
 * refusal/errno. */
int tree_stat(struct mount *mount, struct view *view, const struct inode *inode,
              struct tree_node *out) MUST_CHECK;

/* The same of what is, or belongs to, an IMAGE that was read a moment ago. */
int tree_stat_in_image(struct mount *mount, struct view *view, const struct inode *inode,
                       const struct view_image *image, struct tree_node *out) MUST_CHECK;

/* The entry NAME of directory PARENT. 0; -ENOENT where there is none, for certain; -ESTALE where
 * the directory is gone; -ENOTDIR; -ENAMETOOLONG; or a negative refusal/errno. */
int tree_lookup(struct mount *mount, struct view *view, const struct inode *parent,
                const char *name, struct tree_node *out) MUST_CHECK;

/* What the source keeps fresh for directory PARENT, in *WHERE (image, pin, received,
 * every). NAME, which is borrowed, is what is looked for there; NULL where it is opened. False where there is nothing of that kind. */
bool tree_where(struct view *view, const struct inode *parent, const char *name,
                struct refresh *where);

/* For how long a missing name of directory PARENT may be remembered, in seconds. */
double tree_negative_timeout(const struct mount *mount, const struct inode *parent);

/* The target of symbolic link INODE. 0, -ESTALE, -EINVAL for what is no link, or a negative
 * refusal/errno. */
int tree_readlink(struct mount *mount, struct view *view, const struct inode *inode,
                  struct buffer *out) MUST_CHECK;

/* The content of a regular file other than events and shares. 0, -ESTALE, or a negative
 * refusal/errno. */
int tree_content(struct mount *mount, struct view *view, const struct inode *inode,
                 struct buffer *out) MUST_CHECK;

/* Whether the content of regular file INODE can change without its image changing: it is then read
 * past the page cache. */
bool tree_is_derived(const struct inode *inode);

/* Nodes made of what a listing has at hand, without asking the store again. */
void tree_make_image(const struct mount *mount, int64_t row, int64_t added_ns,
                     struct tree_node *out);
void tree_make_share(const struct mount *mount, int64_t row, int64_t created_ns,
                     struct tree_node *out);
/* A link of KIND to an image's directory: by-name/private/ and by-account/PIN/ link into private/,
 * by-name/shared/OWNER/ into shared/. */
void tree_make_link(const struct mount *mount, enum inode_kind kind, int64_t row, const char *id,
                    int64_t mtime_ns, struct tree_node *out);
/* An attribute of IMAGE that holds SIZE bytes. */
void tree_make_attribute(const struct mount *mount, const struct view_image *image,
                         unsigned attribute, int64_t size, struct tree_node *out);
/* A directory of KIND. */
void tree_make_directory(const struct mount *mount, enum inode_kind kind, int64_t row,
                         int64_t mtime_ns, struct tree_node *out);

#endif
