/* What can be a User Pin: see the header. */
#include "core/rules/pin.h"

#include "core/base/text.h"
#include "core/rules/refusal.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

/* What a shell could have made something else of, had the user not quoted it. */
static const char shell_characters[] = "*?[]{}()$\\\"'<>|;&,~#!`";

/* What programs leave behind: sed -i, mktemp, vim's test file, crashed programs, nohup, editors,
 * patch, browsers, dpkg, other systems' desktops. ('.x' of rsync, emacs and file managers falls to
 * the rule of the leading dot.) */
static const char *const leftovers[] = {
    "sed[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9]",
    "tmp.?*",
    "4913",
    "core",
    "nohup.out",
    "*.tmp",
    "*.part",
    "*.swp",
    "*.bak",
    "*.orig",
    "*.rej",
    "*.dpkg-*",
    "desktop.ini",
    "Thumbs.db",
    "autorun.inf",
};

/* White space, controls and invisible characters beyond ASCII (those that Unicode lets a font
 * ignore among them): two names that look alike must not be two accounts. */
static const struct {
    unsigned first, last;
} invisible[] = {
    {0x80, 0xa0},     {0xad, 0xad},     {0x34f, 0x34f},     {0x61c, 0x61c},     {0x115f, 0x1160},
    {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x2000, 0x200f},   {0x2028, 0x202f},
    {0x205f, 0x206f}, {0x3000, 0x3000}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

/* Decodes the well-formed sequence at *TEXT and moves past it. */
static unsigned next_character(const unsigned char **text)
{
    const unsigned char *byte = *text;
    unsigned value = byte[0];
    int more = value >= 0xf0 ? 3 : value >= 0xe0 ? 2 : value >= 0xc0 ? 1 : 0;

    if (more > 0)
        value &= 0x3fU >> more;
    for (int i = 1; i <= more; i++)
        value = value << 6 | (byte[i] & 0x3fU);
    *text = byte + more + 1;
    return value;
}

static bool is_invisible(unsigned character)
{
    for (size_t i = 0; i < sizeof(invisible) / sizeof(invisible[0]); i++)
        if (character >= invisible[i].first && character <= invisible[i].last)
            return true;
    return character <= 0x20 || character == 0x7f;
}

int pin_check(const char *name)
{
    size_t length = strlen(name);

    if (length > TEXT_NAME_MAX)
        return -REFUSAL_PIN_TOO_LONG;
    if (length == 0 || !text_is_utf8(name, length) || strchr(name, '/') || name[0] == '.' ||
        name[0] == '-' || strpbrk(name, shell_characters))
        return -REFUSAL_PIN_INVALID;
    for (const unsigned char *at = (const unsigned char *)name; *at;)
        if (is_invisible(next_character(&at)))
            return -REFUSAL_PIN_INVALID;
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++)
        if (fnmatch(leftovers[i], name, FNM_NOESCAPE) == 0)
            return -REFUSAL_PIN_LEFTOVER;
    return 0;
}
