/* Inode numbers: see the header. */
#include "fs/inode.h"

#include "core/catalog/attribute.h"
#include "core/store/view.h"

#define SLOT_BITS 6
#define SLOT_MASK 63U
#define ROW_MAX VIEW_ROW_MAX

_Static_assert(INODE_ROOT == 1, "FUSE calls the root 1");
#define SLOT_ATTRIBUTES_END (INODE_ATTRIBUTE + ATTRIBUTE_NUMBERS + 1) /* one is INODE_SHARES */

_Static_assert(SLOT_ATTRIBUTES_END <= SLOT_MASK + 1, "every attribute has a slot");
_Static_assert(INODE_SHARES < SLOT_ATTRIBUTES_END, "shares/ is listed between attributes");
/* NOLINTNEXTLINE(misc-redundant-expression): both are what they are for reasons of their own */
_Static_assert(ROW_MAX == INT64_MAX >> SLOT_BITS, "a row fits beside a slot");

uint64_t inode_number(enum inode_kind kind, int64_t row)
{
    return (uint64_t)row << SLOT_BITS | (uint64_t)kind;
}

uint64_t inode_attribute(unsigned attribute, int64_t row)
{
    unsigned slot = INODE_ATTRIBUTE + attribute;

    return (uint64_t)row << SLOT_BITS | (slot < INODE_SHARES ? slot : slot + 1);
}

/* Whether there are many of the kind in SLOT, told by their rows. */
static bool has_row(unsigned slot)
{
    return slot == INODE_IMAGE || (slot >= INODE_SHARE && slot < SLOT_ATTRIBUTES_END);
}

bool inode_decode(uint64_t number, struct inode *out)
{
    unsigned slot = number & SLOT_MASK;

    out->row = (int64_t)(number >> SLOT_BITS);
    out->attribute = 0;
    if (slot >= INODE_ATTRIBUTE && slot != INODE_SHARES) {
        out->kind = INODE_ATTRIBUTE;
        out->attribute = slot - INODE_ATTRIBUTE - (slot > INODE_SHARES);
    } else {
        out->kind = (enum inode_kind)slot;
    }
    bool single = slot >= INODE_ROOT && slot <= INODE_SHARED;

    if (out->row > ROW_MAX)
        return false;
    return (single && out->row == 0) || (has_row(slot) && out->row > 0);
}

bool inode_is_directory(enum inode_kind kind)
{
    switch (kind) {
    case INODE_ROOT:
    case INODE_ACCOUNT:
    case INODE_BY_NAME:
    case INODE_NAMES:
    case INODE_OWNERS:
    case INODE_BY_ACCOUNT:
    case INODE_PRIVATE:
    case INODE_SHARED:
    case INODE_IMAGE:
    case INODE_SHARES:
    case INODE_OWNER:
    case INODE_RECIPIENT:
        return true;
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
        return false;
    }
}
