/* Framing of JSON: see the header. */
#include "core/store/json_span.h"

#include "core/store/json_text.h"

#include <errno.h>
#include <string.h>

/* Bytes asked for at a time. */
#define CHUNK ((size_t)256 << 10)

/* Where the scanner stands. */
enum state {
    STATE_TOP,        /* between values */
    STATE_LIST_FIRST, /* behind the [ of a list */
    STATE_LIST_VALUE, /* behind a comma */
    STATE_LIST_NEXT,  /* behind an element */
    STATE_FRAME_REST, /* behind the ] of a list that has a frame */
};

/* Where the scanner stands in an object that may turn out to be a frame. */
struct object {
    size_t depth;   /* brackets that are open */
    bool in_result; /* the bracket of depth 2 is that of the member "result" */
    size_t key;     /* offset of the last string at depth 1 or 2, behind its quote */
    size_t key_length;
    bool colon; /* a colon was the last token at depth 1 or 2: the string is a key */
};

struct json_scanner {
    json_read read;
    void *context;
    size_t maximum;

    char *data;
    size_t size;  /* bytes allocated */
    size_t begin; /* of the value under way: what is before it is not needed any more */
    size_t at;    /* the next byte to look at */
    size_t end;   /* of what was read */
    bool ended;   /* the stream gave its last byte */
    struct json_place place;
    size_t place_at; /* the byte that PLACE is of; never behind BEGIN */

    enum state state;
    struct json_place list; /* where the list begins */
    bool framed;            /* the list has a frame */
    struct object object;   /* of the frame */
    struct buffer frame;
    struct json_place frame_begin, frame_after;
    size_t hole;
};

struct json_scanner *json_scanner_new(json_read read, void *context, size_t maximum)
{
    struct json_scanner *scanner = calloc(1, sizeof(*scanner));

    if (!scanner)
        return NULL;
    scanner->data = malloc(CHUNK);
    scanner->size = CHUNK;
    if (!scanner->data) {
        free(scanner);
        return NULL;
    }
    scanner->read = read;
    scanner->context = context;
    scanner->maximum = maximum;
    scanner->place = (struct json_place){.line = 1, .column = 1};
    scanner->frame = (struct buffer)BUFFER_INIT(maximum);
    return scanner;
}

void json_scanner_free(struct json_scanner *scanner)
{
    if (!scanner)
        return;
    buffer_dispose(&scanner->frame);
    free(scanner->data);
    free(scanner);
}

/* Moves PLACE past LENGTH bytes of TEXT. */
static void place_move(struct json_place *place, const char *text, size_t length)
{
    const char *end = text + length;
    const char *newline = NULL;
    int64_t characters = 0;

    while ((newline = memchr(text, '\n', (size_t)(end - text)))) {
        place->line++;
        place->column = 1;
        text = newline + 1;
    }
    /* Every byte but the continuation bytes of UTF-8 begins a character. */
    for (; text < end; text++)
        characters += (*text & 0xc0) != 0x80;
    place->column += characters;
}

/* Moves the scanner's place to the beginning of the value under way. */
static void place_catch_up(struct json_scanner *scanner)
{
    place_move(&scanner->place, scanner->data + scanner->place_at,
               scanner->begin - scanner->place_at);
    scanner->place_at = scanner->begin;
}

/* The place of byte AT, which is not before BEGIN. */
static void place_of(struct json_scanner *scanner, size_t at, struct json_place *out)
{
    place_catch_up(scanner);
    *out = scanner->place;
    place_move(out, scanner->data + scanner->begin, at - scanner->begin);
}

/* Makes the value under way the first in memory, and room for a chunk behind it. */
static int make_room(struct json_scanner *scanner)
{
    if (scanner->begin > 0) {
        place_catch_up(scanner);
        scanner->at -= scanner->begin;
        scanner->end -= scanner->begin;
        memmove(scanner->data, scanner->data + scanner->begin, scanner->end);
        scanner->begin = 0;
        scanner->place_at = 0;
    }
    if (scanner->end > scanner->maximum)
        return -EFBIG;
    if (scanner->size - scanner->end >= CHUNK / 2)
        return 0;
    char *data = realloc(scanner->data, scanner->size * 2);
    if (!data)
        return -ENOMEM;
    scanner->data = data;
    scanner->size *= 2;
    return 0;
}

/* Reads more. Returns 1, 0 at the end of the stream, -EFBIG where the value under way is too long,
 * or another negative errno. */
static int fill(struct json_scanner *scanner)
{
    if (scanner->ended)
        return 0;
    int result = make_room(scanner);
    if (result < 0)
        return result;
    size_t room = scanner->size - scanner->end;
    ssize_t count =
        scanner->read(scanner->context, scanner->data + scanner->end, room < CHUNK ? room : CHUNK);
    if (count < 0)
        return (int)count;
    if (count == 0) {
        scanner->ended = true;
        return 0;
    }
    scanner->end += (size_t)count;
    return 1;
}

static int fault_at(struct json_fault *fault, const struct json_place *place, const char *why)
{
    fault->place = *place;
    (void)snprintf(fault->why, sizeof(fault->why), "%s", why);
    return -EINVAL;
}

/* What stands at AT is not what the text WHY asks for. */
static int fault_byte(struct json_scanner *scanner, const char *why, struct json_fault *fault)
{
    unsigned char byte = (unsigned char)scanner->data[scanner->at];
    struct json_place place;

    place_of(scanner, scanner->at, &place);
    (void)fault_at(fault, &place, "");
    if (byte > 0x20 && byte < 0x7f)
        (void)snprintf(fault->why, sizeof(fault->why), "broken JSON: %s, not %c", why, byte);
    else
        (void)snprintf(fault->why, sizeof(fault->why), "broken JSON: %s, not byte 0x%02x", why,
                       byte);
    return -EINVAL;
}

/* What RESULT (0 or negative) of a skip means. */
static int fault_value(struct json_scanner *scanner, int result, struct json_fault *fault)
{
    struct json_place place;

    if (result != 0 && result != -EFBIG)
        return result;
    place_of(scanner, scanner->begin, &place);
    if (scanner->state == STATE_FRAME_REST)
        place = scanner->frame_begin;
    if (result == 0)
        return fault_at(fault, &place, "broken JSON: what begins here does not end");
    (void)fault_at(fault, &place, "");
    (void)snprintf(fault->why, sizeof(fault->why), "what begins here is longer than %zu MiB",
                   scanner->maximum >> 20);
    return -EINVAL;
}

/* Skips white space, and lets the next value begin behind it. 1, 0 at the end, or negative. */
static int skip_space(struct json_scanner *scanner)
{
    for (;;) {
        while (scanner->at < scanner->end && json_is_space(scanner->data[scanner->at]))
            scanner->at++;
        scanner->begin = scanner->at;
        if (scanner->at < scanner->end)
            return 1;
        int result = fill(scanner);
        if (result <= 0)
            return result;
    }
}

/* Skips what follows the opening quote, to behind the closing one. 1, 0 at the end, or negative. */
static int skip_string(struct json_scanner *scanner)
{
    bool escaped = false;

    for (;;) {
        const char *data = scanner->data;
        size_t at = scanner->at;
        while (at < scanner->end) {
            char byte = data[at++];
            if (escaped) {
                escaped = false;
            } else if (byte == '\\') {
                escaped = true;
            } else if (byte == '"') {
                scanner->at = at;
                return 1;
            }
        }
        scanner->at = at;
        int result = fill(scanner);
        if (result <= 0)
            return result;
    }
}

/* Skips a number or a word. 1 or negative; the end of the stream ends it, too. */
static int skip_word(struct json_scanner *scanner)
{
    for (;;) {
        while (scanner->at < scanner->end) {
            char byte = scanner->data[scanner->at];
            if (json_is_space(byte) || (byte && strchr(",:[]{}\"", byte)))
                return 1;
            scanner->at++;
        }
        int result = fill(scanner);
        if (result <= 0)
            return result < 0 ? result : 1;
    }
}

/* Skips an object or array. 1, 0 at the end, or negative. */
static int skip_brackets(struct json_scanner *scanner)
{
    size_t depth = 0;

    for (;;) {
        while (scanner->at < scanner->end) {
            switch (scanner->data[scanner->at++]) {
            case '"': {
                int result = skip_string(scanner);
                if (result <= 0)
                    return result;
                break;
            }
            case '{':
            case '[':
                depth++;
                break;
            case '}':
            case ']':
                if (--depth == 0)
                    return 1;
                break;
            default:
                break;
            }
        }
        int result = fill(scanner);
        if (result <= 0)
            return result;
    }
}

static bool key_is(const struct json_scanner *scanner, const struct object *object,
                   const char *name)
{
    return object->colon && object->key_length == strlen(name) &&
           memcmp(scanner->data + scanner->begin + object->key, name, object->key_length) == 0;
}

/* Whether the [ at hand opens the list of an answer. */
static bool is_list(const struct json_scanner *scanner, const struct object *object)
{
    return (object->depth == 1 || (object->depth == 2 && object->in_result)) &&
           key_is(scanner, object, "images");
}

/* Takes the token BYTE, which is no string. 1 where the object ended, 2 where a list begins, else
 * 0. */
static int object_token(const struct json_scanner *scanner, struct object *object, char byte)
{
    switch (byte) {
    case '{':
        if (object->depth == 1)
            object->in_result = key_is(scanner, object, "result");
        object->depth++;
        object->colon = false;
        return 0;
    case '[':
        if (is_list(scanner, object))
            return 2;
        if (object->depth == 1)
            object->in_result = false;
        object->depth++;
        object->colon = false;
        return 0;
    case '}':
    case ']':
        object->depth--;
        object->colon = false;
        return object->depth == 0;
    case ':':
        object->colon = object->depth <= 2;
        return 0;
    case ',':
        object->colon = false;
        return 0;
    default:
        return 0;
    }
}

/* Goes on in an object that may be a frame. 1 where it ended, 2 behind the [ of a list, 0 at the
 * end, or negative. */
static int skip_object(struct json_scanner *scanner, struct object *object)
{
    for (;;) {
        while (scanner->at < scanner->end) {
            char byte = scanner->data[scanner->at++];
            if (byte != '"') {
                int token = object_token(scanner, object, byte);
                if (token != 0)
                    return token;
                continue;
            }
            size_t key = scanner->at - scanner->begin;
            int result = skip_string(scanner);
            if (result <= 0)
                return result;
            if (object->depth <= 2) {
                object->key = key;
                object->key_length = scanner->at - 1 - scanner->begin - key;
                object->colon = false;
            }
        }
        int result = fill(scanner);
        if (result <= 0)
            return result;
    }
}

/* The bytes from BEGIN to AT are a value. */
static int give_value(struct json_scanner *scanner, struct json_span *out)
{
    place_catch_up(scanner);
    *out = (struct json_span){
        .kind = JSON_SPAN_VALUE,
        .text = scanner->data + scanner->begin,
        .length = scanner->at - scanner->begin,
        .begin = scanner->place,
    };
    scanner->begin = scanner->at;
    return 1;
}

/* Opens a list whose [ is the byte before AT. */
static void open_list(struct json_scanner *scanner, bool framed)
{
    place_of(scanner, scanner->at - 1, &scanner->list);
    scanner->framed = framed;
    scanner->state = STATE_LIST_FIRST;
}

/* Puts the object so far aside: a list begins in it. */
static int open_frame(struct json_scanner *scanner, struct json_fault *fault)
{
    open_list(scanner, true);
    scanner->frame_begin = scanner->place;
    buffer_clear(&scanner->frame);
    buffer_add(&scanner->frame, scanner->data + scanner->begin, scanner->at - scanner->begin);
    buffer_puts(&scanner->frame, "]");
    scanner->hole = scanner->frame.length;
    scanner->object.colon = false;
    scanner->object.key_length = 0; /* the last key is in the part that is put aside */
    if (buffer_failed(&scanner->frame))
        return fault_value(scanner, -EFBIG, fault);
    return 0;
}

/* Behind the list: the rest of the object, and then the whole of it. */
static int close_frame(struct json_scanner *scanner, struct json_span *out,
                       struct json_fault *fault)
{
    int result = skip_object(scanner, &scanner->object);

    if (result == 2) {
        struct json_place place;
        place_of(scanner, scanner->at - 1, &place);
        return fault_at(fault, &place, "a second list of images in one answer");
    }
    if (result == 1) {
        buffer_add(&scanner->frame, scanner->data + scanner->begin, scanner->at - scanner->begin);
        scanner->begin = scanner->at;
        if (buffer_failed(&scanner->frame))
            result = -EFBIG;
    }
    if (result != 1)
        return fault_value(scanner, result, fault);
    scanner->state = STATE_TOP;
    *out = (struct json_span){
        .kind = JSON_SPAN_FRAME,
        .text = buffer_text(&scanner->frame),
        .length = scanner->frame.length,
        .begin = scanner->frame_begin,
        .hole = scanner->hole,
        .after = scanner->frame_after,
    };
    return 1;
}

/* A value begins at AT. 1 with *OUT, 0 where it is a list that has begun, or negative. */
static int next_value(struct json_scanner *scanner, bool top, struct json_span *out,
                      struct json_fault *fault)
{
    char byte = scanner->data[scanner->at];
    int result = 0;

    if (byte == '"') {
        scanner->at++;
        result = skip_string(scanner);
    } else if (byte == '[' && top) {
        scanner->at++;
        open_list(scanner, false);
        return 0;
    } else if (byte == '{' && top) {
        scanner->object = (struct object){0};
        result = skip_object(scanner, &scanner->object);
        if (result == 2)
            return open_frame(scanner, fault);
    } else if (byte == '[' || byte == '{') {
        result = skip_brackets(scanner);
    } else {
        result = skip_word(scanner);
        if (result == 1 && scanner->at == scanner->begin)
            return fault_byte(scanner, "a value must begin here", fault);
    }
    if (result == 1 && scanner->at - scanner->begin > scanner->maximum)
        result = -EFBIG;
    return result == 1 ? give_value(scanner, out) : fault_value(scanner, result, fault);
}

/* Inside a list. 1 with *OUT, 0 to go on, or negative. */
static int next_element(struct json_scanner *scanner, struct json_span *out,
                        struct json_fault *fault)
{
    int result = skip_space(scanner);

    if (result == 0) {
        struct json_place place;
        place_of(scanner, scanner->at, &place);
        (void)fault_at(fault, &place, "");
        (void)snprintf(fault->why, sizeof(fault->why),
                       "broken JSON: the list that begins at %lld:%lld does not end",
                       (long long)scanner->list.line, (long long)scanner->list.column);
        return -EINVAL;
    }
    if (result < 0)
        return result;
    char byte = scanner->data[scanner->at];
    if (byte == ']' && scanner->state != STATE_LIST_VALUE) {
        scanner->begin = ++scanner->at;
        scanner->state = STATE_TOP;
        if (scanner->framed) {
            scanner->state = STATE_FRAME_REST;
            place_of(scanner, scanner->at, &scanner->frame_after);
        }
        return 0;
    }
    if (scanner->state == STATE_LIST_NEXT) {
        if (byte != ',')
            return fault_byte(scanner, "a comma or ] must follow here", fault);
        scanner->at++;
        scanner->state = STATE_LIST_VALUE;
        return 0;
    }
    result = next_value(scanner, false, out, fault);
    scanner->state = STATE_LIST_NEXT;
    return result;
}

/* Some editors put a byte order mark at the head of a file; it is no character. */
static int skip_mark(struct json_scanner *scanner)
{
    int result = 1;

    while (result == 1 && scanner->end < 3)
        result = fill(scanner);
    if (scanner->end >= 3 && memcmp(scanner->data, "\xef\xbb\xbf", 3) == 0) {
        scanner->at = 3;
        scanner->begin = 3;
        scanner->place_at = 3;
    }
    return result < 0 ? result : 0;
}

int json_scanner_next(struct json_scanner *scanner, struct json_span *out, struct json_fault *fault)
{
    int result = scanner->end == 0 ? skip_mark(scanner) : 0;

    while (result == 0) {
        switch (scanner->state) {
        case STATE_LIST_FIRST:
        case STATE_LIST_VALUE:
        case STATE_LIST_NEXT:
            result = next_element(scanner, out, fault);
            break;
        case STATE_FRAME_REST:
            return close_frame(scanner, out, fault);
        case STATE_TOP:
        default:
            result = skip_space(scanner);
            if (result <= 0)
                return result;
            result = next_value(scanner, true, out, fault);
            break;
        }
    }
    return result;
}

void json_span_place(const struct json_span *span, size_t offset, struct json_place *out)
{
    size_t from = 0;

    *out = span->begin;
    if (span->kind == JSON_SPAN_FRAME && offset >= span->hole) {
        *out = span->after;
        from = span->hole;
    }
    place_move(out, span->text + from, offset - from);
}
