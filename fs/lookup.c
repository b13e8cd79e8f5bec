/* Names in directories: tree_lookup() of tree.h. */
#include "fs/tree.h"

#include "core/catalog/attribute.h"
#include "core/catalog/by_name.h"

#include <errno.h>
#include <string.h>

static int lookup_fixed(struct mount *mount, struct view *view, enum inode_kind parent,
                        const char *name, struct tree_node *out)
{
    const struct tree_fixed *entry = NULL;

    for (size_t i = 0; (entry = tree_fixed_at(i)); i++) {
        if (entry->parent == parent && strcmp(entry->name, name) == 0) {
            struct inode inode = {.kind = entry->kind};
            return tree_stat(mount, view, &inode, out);
        }
    }
    return -ENOENT;
}

static int lookup_image(struct mount *mount, struct view *view, enum view_scope scope,
                        const char *name, struct tree_node *out)
{
    struct view_image image = {0};
    int result = view_image_by_id(view, scope, name, &image);

    if (result == 0)
        tree_make_image(mount, image.row, image.added_ns, out);
    return result;
}

/* An entry of ID/: shares/ or an attribute. */
static int lookup_in_image(struct mount *mount, struct view *view, int64_t row, const char *name,
                           struct tree_node *out)
{
    const struct attribute *attribute = attribute_find(name);
    struct inode inode = {.kind = INODE_SHARES, .row = row};
    struct view_image image = {0};

    if (attribute) {
        inode.kind = INODE_ATTRIBUTE;
        inode.attribute = attribute->number;
    }
    int result = view_image(view, row, &image);
    if (result < 0)
        return result == -ENOENT ? -ESTALE : result;
    bool known = attribute ? !(attribute->shared_only && image.owned) : strcmp(name, "shares") == 0;
    if (!known)
        return -ENOENT;
    /* Its content is read once more: the image may go in between. */
    result = tree_stat_in_image(mount, view, &inode, &image, out);
    return result == -ENOENT ? -ESTALE : result;
}

static int lookup_share(struct mount *mount, struct view *view, int64_t image_row, const char *name,
                        struct tree_node *out)
{
    struct view_share share = {0};
    struct view_image image = {0};
    int result = view_share_by_pin(view, image_row, name, &share);

    if (result == 0)
        tree_make_share(mount, share.row, share.created_ns, out);
    if (result != -ENOENT)
        return result;
    /* No such share, or no such image? Only the former may be remembered. */
    result = view_image(view, image_row, &image);
    return result == -ENOENT ? -ESTALE : result < 0 ? result : -ENOENT;
}

static int lookup_name(struct mount *mount, struct view *view, enum inode_kind kind,
                       const char *owner, const char *name, struct tree_node *out)
{
    struct by_name_entry entry = {0};
    int result = by_name_find(view, owner, name, &entry);

    if (result == 0)
        tree_make_link(mount, kind, entry.row, entry.id, entry.mtime_ns, out);
    return result;
}

static int lookup_recipient_image(struct mount *mount, struct view *view, int64_t row,
                                  const char *name, struct tree_node *out)
{
    struct view_recipient recipient = {0};
    struct view_image image = {0};
    struct view_share share = {0};
    int result = view_recipient(view, row, &recipient);

    if (result < 0)
        return result == -ENOENT ? -ESTALE : result;
    result = view_image_by_id(view, VIEW_PRIVATE, name, &image);
    if (result == 0)
        result = view_share_by_pin(view, image.row, recipient.pin, &share);
    if (result == 0)
        tree_make_link(mount, INODE_RECIPIENT_IMAGE, share.row, image.id, share.created_ns, out);
    return result;
}

int tree_lookup(struct mount *mount, struct view *view, const struct inode *parent,
                const char *name, struct tree_node *out)
{
    struct view_recipient recipient = {0};
    int result = 0;

    if (strlen(name) > TEXT_NAME_MAX)
        return -ENAMETOOLONG;
    switch (parent->kind) {
    case INODE_ROOT:
    case INODE_ACCOUNT:
    case INODE_BY_NAME:
        return lookup_fixed(mount, view, parent->kind, name, out);
    case INODE_PRIVATE:
        return lookup_image(mount, view, VIEW_PRIVATE, name, out);
    case INODE_SHARED:
        return lookup_image(mount, view, VIEW_SHARED, name, out);
    case INODE_IMAGE:
        return lookup_in_image(mount, view, parent->row, name, out);
    case INODE_SHARES:
        return lookup_share(mount, view, parent->row, name, out);
    case INODE_NAMES:
        return lookup_name(mount, view, INODE_NAME, view->pin, name, out);
    case INODE_OWNERS:
    case INODE_BY_ACCOUNT: {
        bool owners = parent->kind == INODE_OWNERS;
        result = owners ? view_owner_by_pin(view, name, &recipient)
                        : view_recipient_by_pin(view, name, &recipient);
        if (result == 0)
            tree_make_directory(mount, owners ? INODE_OWNER : INODE_RECIPIENT, recipient.row,
                                recipient.changed_ns, out);
        return result;
    }
    case INODE_OWNER:
        result = view_recipient(view, parent->row, &recipient);
        if (result < 0)
            return result == -ENOENT ? -ESTALE : result;
        return lookup_name(mount, view, INODE_OWNER_NAME, recipient.owner, name, out);
    case INODE_RECIPIENT:
        return lookup_recipient_image(mount, view, parent->row, name, out);
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

bool tree_where(struct view *view, const struct inode *parent, const char *name,
                struct refresh *where)
{
    struct view_image image = {0};

    *where = (struct refresh){0};
    switch ((int)parent->kind) {
    case INODE_SHARES:
        where->image = parent->row;
        where->pin = name;
        return true;
    case INODE_PRIVATE:
    case INODE_NAMES:
        return true;
    case INODE_SHARED:
    case INODE_OWNERS:
    case INODE_OWNER:
        where->received = true;
        return true;
    case INODE_RECIPIENT:
        if (name && view_image_by_id(view, VIEW_PRIVATE, name, &image) == 0) {
            where->image = image.row; /* only that one's shares are in question */
            return true;
        }
        where->every = true;
        return true;
    case INODE_BY_ACCOUNT:
        where->every = true;
        return true;
    default:
        return false;
    }
}

double tree_negative_timeout(const struct mount *mount, const struct inode *parent)
{
    switch ((int)parent->kind) {
    case INODE_NAMES:
    case INODE_OWNERS:
    case INODE_BY_ACCOUNT:
    case INODE_OWNER:
    case INODE_RECIPIENT:
        return 0; /* nobody tells the kernel when a name appears there */
    default:
        return mount_timeout(mount);
    }
}
