/*
 * Inode numbers: what they say, and what they do not.
 *
 * A number decodes to what it names: a kind, and the row id of the thing in the store. So there is
 * no table of inodes in the daemon, no lookup count to keep, nothing to forget and nothing to
 * rebuild after a restart; `forget` is answered by doing nothing.
 *
 *     63                                     6 5      0
 *     +---------------------------------------+--------+
 *     |                 row id                |  slot  |
 *     +---------------------------------------+--------+
 *
 * The slot is a kind (below), or one of the slots from INODE_ATTRIBUTE on, in the order of the
 * attributes' numbers, and then the row is the image's. What there is one of has row 0. The root is
 * slot 1 of row 0, so its number is 1, as FUSE wants.
 *
 * What follows from it:
 * - Numbers are the same after a remount, a restart, a cache drop: row ids stay.
 * - A number is never used for another thing: row ids are AUTOINCREMENT. A share that is
 *   cancelled and made again has a new row and a new number, and the old number is answered with
 *   ESTALE, upon which the kernel looks the name up again. So the generation can stay 0.
 * - A number says nothing about whether the thing is there still, or whether this account may see
 *   it: every operation asks the store.
 * - The same image seen by two accounts' mounts has the same numbers; a mount shows it in
 *   private/ or in shared/, never in both.
 * - In an image's directory shares/ has a number between those of the attributes. GLib, and every
 *   file manager that is built on it, sorts what it lists by number, and some of them delete
 *   backwards. Either way they are to meet attributes first, whose refusal arms the guard.
 * - A symbolic link in by-name/ or by-account/ has a number of its own kind, with the row of what
 *   it stands for.
 */
#ifndef FS_INODE_H
#define FS_INODE_H

#include <stdbool.h>
#include <stdint.h>

enum inode_kind {
    INODE_ROOT = 1,
    INODE_README = 2,
    INODE_ACCOUNT = 3, /* account/ */
    INODE_PIN = 4,     /* account/pin */
    INODE_STATUS = 5,
    INODE_EVENTS = 6,
    INODE_BY_NAME = 7,
    INODE_NAMES = 8,  /* by-name/private/ */
    INODE_OWNERS = 9, /* by-name/shared/ */
    INODE_BY_ACCOUNT = 10,
    INODE_PRIVATE = 11,
    INODE_SHARED = 12,

    INODE_IMAGE = 16,           /* row: image */
    INODE_SHARE = 18,           /* row: share */
    INODE_NAME = 19,            /* by-name/private/NAME; row: image */
    INODE_OWNER = 20,           /* by-name/shared/OWNER/; row: recipient */
    INODE_OWNER_NAME = 21,      /* by-name/shared/OWNER/NAME; row: image */
    INODE_RECIPIENT = 22,       /* by-account/PIN/; row: recipient */
    INODE_RECIPIENT_IMAGE = 23, /* by-account/PIN/ID; row: share */

    INODE_ATTRIBUTE = 24, /* ID/ATTRIBUTE; row: image; their slots from here on but the next */
    INODE_SHARES = 32,    /* row: image */
};

struct inode {
    enum inode_kind kind;
    unsigned attribute; /* of INODE_ATTRIBUTE: its number */
    int64_t row;
};

/* The number of KIND and ROW. */
uint64_t inode_number(enum inode_kind kind, int64_t row);
/* The number of an attribute of the image ROW. */
uint64_t inode_attribute(unsigned attribute, int64_t row);

/* Decodes NUMBER. False if no inode can have it. Pure: whether the thing exists is the store's. */
bool inode_decode(uint64_t number, struct inode *out);

/* Whether KIND is a directory. */
bool inode_is_directory(enum inode_kind kind);

#endif
