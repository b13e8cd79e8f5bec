/* Listing a directory: see the header. */
#include "fs/list.h"

#include "core/catalog/attribute.h"
#include "core/catalog/by_name.h"

#include <errno.h>
#include <string.h>

struct listing {
    struct mount *mount;
    struct view *view;
    fuse_req_t request;
    bool plus;
    enum inode_kind kind; /* of the entries */
    char *buffer;
    size_t size;
    size_t used;
};

/* Adds an entry; 1 when there is no more room. What no file name can be is left out. */
static int add(struct listing *listing, const char *name, off_t next, const struct tree_node *node)
{
    char *at = listing->buffer + listing->used;
    size_t room = listing->size - listing->used;
    size_t length = 0;

    if (!text_is_file_name(name))
        return 0;
    if (listing->plus) {
        struct fuse_entry_param entry = {
            .ino = node->status.st_ino,
            .attr = node->status,
            .attr_timeout = node->attr_timeout,
            .entry_timeout = node->entry_timeout,
        };
        length = fuse_add_direntry_plus(listing->request, at, room, name, &entry, next);
    } else {
        length = fuse_add_direntry(listing->request, at, room, name, &node->status, next);
    }
    if (length > room)
        return 1;
    listing->used += length;
    return 0;
}

static int add_row(struct listing *listing, const char *name, int64_t row,
                   const struct tree_node *node)
{
    return add(listing, name, row + LIST_FIRST, node);
}

/* The number of the directory above. What is above the root is another file system's. */
static uint64_t parent_number(const struct listing *listing, const struct inode *inode)
{
    const struct tree_fixed *entry = NULL;
    struct view_image image = {0};

    for (size_t i = 0; (entry = tree_fixed_at(i)); i++)
        if (entry->kind == inode->kind)
            return inode_number(entry->parent, 0);
    switch ((int)inode->kind) {
    case INODE_SHARES:
        return inode_number(INODE_IMAGE, inode->row);
    case INODE_OWNER:
        return inode_number(INODE_OWNERS, 0);
    case INODE_RECIPIENT:
        return inode_number(INODE_BY_ACCOUNT, 0);
    case INODE_IMAGE:
        if (view_image(listing->view, inode->row, &image) == 0)
            return inode_number(image.owned ? INODE_PRIVATE : INODE_SHARED, 0);
        return inode_number(INODE_IMAGE, inode->row); /* gone: the entries will say so */
    default:
        return inode_number(inode->kind, inode->row);
    }
}

/* "." and "..": the kernel knows their inodes and takes no reference for them. */
static int add_dots(struct listing *listing, const struct inode *inode, off_t offset)
{
    static const char *const dots[] = {".", ".."};

    for (off_t i = offset; i < LIST_FIRST; i++) {
        char *at = listing->buffer + listing->used;
        size_t room = listing->size - listing->used;
        struct fuse_entry_param entry = {.attr = {.st_mode = S_IFDIR}};
        entry.attr.st_ino =
            i == 0 ? inode_number(inode->kind, inode->row) : parent_number(listing, inode);
        size_t length =
            listing->plus
                ? fuse_add_direntry_plus(listing->request, at, room, dots[i], &entry, i + 1)
                : fuse_add_direntry(listing->request, at, room, dots[i], &entry.attr, i + 1);
        if (length > room)
            return 1;
        listing->used += length;
    }
    return 0;
}

static int list_fixed(struct listing *listing, enum inode_kind parent, int64_t after)
{
    const struct tree_fixed *entry = NULL;

    for (size_t i = (size_t)after; (entry = tree_fixed_at(i)); i++) {
        struct tree_node node = {0};
        if (entry->parent != parent)
            continue;
        struct inode inode = {.kind = entry->kind};
        int result = tree_stat(listing->mount, listing->view, &inode, &node);
        if (result < 0)
            return result;
        if (add_row(listing, entry->name, (int64_t)i + 1, &node))
            break;
    }
    return 0;
}

static int add_image(const struct view_entry *entry, void *context)
{
    struct listing *listing = context;
    struct tree_node node = {0};

    tree_make_image(listing->mount, entry->row, entry->mtime_ns, &node);
    return add_row(listing, entry->name, entry->row, &node);
}

static int add_share(const struct view_entry *entry, void *context)
{
    struct listing *listing = context;
    struct tree_node node = {0};

    tree_make_share(listing->mount, entry->row, entry->mtime_ns, &node);
    return add_row(listing, entry->name, entry->row, &node);
}

static int add_directory(const struct view_entry *entry, void *context)
{
    struct listing *listing = context;
    struct tree_node node = {0};

    tree_make_directory(listing->mount, listing->kind, entry->row, entry->mtime_ns, &node);
    return add_row(listing, entry->name, entry->row, &node);
}

/* A link of by-account/PIN/: its inode is the share's, its place the image's. */
static int add_recipient_image(const struct view_entry *entry, void *context)
{
    struct listing *listing = context;
    struct tree_node node = {0};

    tree_make_link(listing->mount, INODE_RECIPIENT_IMAGE, entry->share, entry->name,
                   entry->mtime_ns, &node);
    return add_row(listing, entry->name, entry->row, &node);
}

static int add_name(const struct by_name_entry *entry, void *context)
{
    struct listing *listing = context;
    struct tree_node node = {0};

    tree_make_link(listing->mount, listing->kind, entry->row, entry->id, entry->mtime_ns, &node);
    return add_row(listing, entry->name, entry->row, &node);
}

/* An attribute as a node; formatted only where its size is asked for. */
static int make_attribute(struct listing *listing, struct attribute_image *image,
                          const struct view_image *row, const struct attribute *attribute,
                          struct tree_node *out)
{
    CLEANUP_BUFFER struct buffer content = BUFFER_INIT(ATTRIBUTE_MAX);
    int result = listing->plus ? attribute_format(image, attribute, &content) : 0;

    if (result == 0)
        tree_make_attribute(listing->mount, row, attribute->number, (int64_t)content.length, out);
    return result;
}

/* The files of an image, shares/ last: a recursive delete meets the attributes first. */
static int list_image(struct listing *listing, const struct inode *inode, int64_t after)
{
    struct attribute_image image = {0};
    struct view_image row = {0};
    const struct attribute *attribute = NULL;
    struct tree_node node = {0};
    size_t index = (size_t)after;
    bool full = false;
    int result = view_image(listing->view, inode->row, &row);

    if (result == 0)
        result = attribute_open(listing->mount->catalog, listing->view, inode->row, &image);
    for (; result == 0 && !full && (attribute = attribute_at(index)); index++) {
        if (attribute->shared_only && row.owned)
            continue;
        result = make_attribute(listing, &image, &row, attribute, &node);
        if (result == 0)
            full = add_row(listing, attribute->name, (int64_t)index + 1, &node);
    }
    /* Past the last attribute comes shares/, and past that nothing. */
    if (result == 0 && !full && !attribute_at(index) && (index == 0 || attribute_at(index - 1))) {
        tree_make_directory(listing->mount, INODE_SHARES, row.row, row.shares_ns, &node);
        (void)add_row(listing, "shares", (int64_t)index + 1, &node);
    }
    attribute_close(&image);
    return result;
}

/* An owner sees every share of the image, a recipient its own. */
static int list_shares(struct listing *listing, const struct inode *inode, int64_t after)
{
    struct view_image image = {0};
    struct view_share share = {0};
    struct tree_node node = {0};
    int result = view_image(listing->view, inode->row, &image);

    if (result < 0)
        return result;
    if (image.owned)
        return view_shares(listing->view, inode->row, after, add_share, listing);
    result = view_share_by_pin(listing->view, inode->row, listing->view->pin, &share);
    if (result == 0 && share.row > after) {
        tree_make_share(listing->mount, share.row, share.created_ns, &node);
        (void)add_row(listing, share.pin, share.row, &node);
    }
    return result;
}

static int list_recipient(struct listing *listing, const struct inode *inode, int64_t after)
{
    struct view_recipient recipient = {0};
    int result = view_recipient(listing->view, inode->row, &recipient);

    if (result < 0)
        return result;
    if (inode->kind == INODE_RECIPIENT)
        return view_recipient_images(listing->view, recipient.pin, after, add_recipient_image,
                                     listing);
    listing->kind = INODE_OWNER_NAME;
    return by_name_list(listing->view, recipient.owner, after, add_name, listing);
}

static int list_entries(struct listing *listing, const struct inode *inode, int64_t after)
{
    struct view *view = listing->view;

    switch (inode->kind) {
    case INODE_ROOT:
    case INODE_ACCOUNT:
    case INODE_BY_NAME:
        return list_fixed(listing, inode->kind, after);
    case INODE_PRIVATE:
        return view_images(view, VIEW_PRIVATE, after, add_image, listing);
    case INODE_SHARED:
        return view_images(view, VIEW_SHARED, after, add_image, listing);
    case INODE_IMAGE:
        return list_image(listing, inode, after);
    case INODE_SHARES:
        return list_shares(listing, inode, after);
    case INODE_NAMES:
        listing->kind = INODE_NAME;
        return by_name_list(view, view->pin, after, add_name, listing);
    case INODE_OWNERS:
        listing->kind = INODE_OWNER;
        return view_owners(view, after, add_directory, listing);
    case INODE_BY_ACCOUNT:
        listing->kind = INODE_RECIPIENT;
        return view_recipients(view, after, add_directory, listing);
    case INODE_OWNER:
    case INODE_RECIPIENT:
        return list_recipient(listing, inode, after);
    case INODE_README:
    case INODE_PIN:
    case INODE_STATUS:
    case INODE_EVENTS:
    case INODE_SHARE:
    case INODE_NAME:
    case INODE_OWNER_NAME:
    case INODE_RECIPIENT_IMAGE:
    case INODE_ATTRIBUTE:
    default:
        return -ENOTDIR;
    }
}

ssize_t list_directory(struct mount *mount, struct view *view, fuse_req_t request,
                       const struct inode *inode, off_t offset, bool plus, char *buffer,
                       size_t size)
{
    struct listing listing = {
        .mount = mount,
        .view = view,
        .request = request,
        .plus = plus,
        .buffer = buffer,
        .size = size,
    };

    if (add_dots(&listing, inode, offset) == 0) {
        int64_t after = offset > LIST_FIRST ? offset - LIST_FIRST : 0;
        int result = list_entries(&listing, inode, after);
        /* What fits before a failure is a page; the failure comes with the next one. */
        if (result < 0 && listing.used == 0)
            return result == -ENOENT ? -ESTALE : result;
    }
    return (ssize_t)listing.used;
}
