/* Inode numbers: any number of 64 bits is that of one thing, or of none. */
#include "fs/inode.h"

#include "core/catalog/attribute.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void run(uint64_t number)
{
    struct inode inode = {0};

    if (!inode_decode(number, &inode))
        return;
    bool attribute = inode.kind == INODE_ATTRIBUTE;
    bool single = inode.kind >= INODE_ROOT && inode.kind <= INODE_SHARED;
    uint64_t again = attribute ? inode_attribute(inode.attribute, inode.row)
                               : inode_number(inode.kind, inode.row);

    REQUIRE(again == number);
    REQUIRE(number != 0); /* which no kernel takes */
    REQUIRE(single ? inode.row == 0 : inode.row > 0);
    REQUIRE(single || attribute || inode.kind == INODE_IMAGE || inode.kind == INODE_SHARES ||
            (inode.kind >= INODE_SHARE && inode.kind <= INODE_RECIPIENT_IMAGE));
    REQUIRE(attribute ? inode.attribute < ATTRIBUTE_NUMBERS : inode.attribute == 0);
    REQUIRE(!attribute || !inode_is_directory(inode.kind));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (; size >= sizeof(uint64_t); data += sizeof(uint64_t), size -= sizeof(uint64_t)) {
        uint64_t number = 0;
        memcpy(&number, data, sizeof(number));
        run(number);
        run(number & 0x3fff); /* small rows, of which there are images */
    }
    return 0;
}
