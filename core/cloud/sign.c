/* Request signatures: see the header. */
#include "core/cloud/sign.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <string.h>

#define DAY_LENGTH 8
#define DATE_LENGTH 16
#define HASH_SIZE 32 /* SHA-256 */
#define HASH_HEADER "x-jdcloud-content-sha256"

/* The locale has no say in what goes over the wire, so <ctype.h> has none here. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void add_hex(struct buffer *out, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        buffer_printf(out, "%02x", bytes[i]);
}

void sign_encode(struct buffer *out, const char *text, size_t length, const char *kept)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool plain = is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
                     (c != '\0' && (strchr("-._~", c) || strchr(kept, c)));
        if (plain)
            buffer_add(out, &c, 1);
        else
            buffer_printf(out, "%%%02X", (unsigned char)c);
    }
}

/* Appends LENGTH bytes of TEXT decoded. A percent sign that begins no code stays one. */
static void decode(struct buffer *out, const char *text, size_t length, bool plus_is_space)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%' && length - i > 2 && hex_value(text[i + 1]) >= 0 &&
                   hex_value(text[i + 2]) >= 0) {
            c = (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        }
        buffer_add(out, &c, 1);
    }
}

/* Decoded and encoded again, so that it does not matter which of both was sent. JDCLOUD3 takes a
 * plus sign for a space and many slashes for one. */
static void add_path(const struct sign_request *request, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(out->maximum);
    bool third = request->algorithm == SIGN_JDCLOUD3;

    decode(&path, request->path, strlen(request->path), third);
    const char *text = buffer_text(&path);
    if (path.length == 0 || text[0] != '/')
        buffer_puts(out, "/");
    for (size_t i = 0; i < path.length; i++)
        if (!third || text[i] != '/' || i == 0 || text[i - 1] != '/')
            sign_encode(out, text + i, 1, "/");
    out->failed |= path.failed;
}

/* --- the query --- */

struct parameter {
    size_t name_at, value_at; /* in the text that holds them all */
    const char *name, *value; /* the same, once that text does not move any more */
};

static int compare_parameters(const void *left, const void *right)
{
    const struct parameter *a = left;
    const struct parameter *b = right;
    int order = strcmp(a->name, b->name);

    return order != 0 ? order : strcmp(a->value, b->value);
}

/* Appends LENGTH bytes of TEXT, decoded and encoded again, and a NUL. Gives where they begin. */
static size_t add_recoded(struct buffer *out, const char *text, size_t length)
{
    CLEANUP_BUFFER struct buffer decoded = BUFFER_INIT(length);
    size_t at = out->length;

    decode(&decoded, text, length, true);
    sign_encode(out, buffer_text(&decoded), decoded.length, "");
    buffer_add(out, "", 1);
    out->failed |= decoded.failed;
    return at;
}

/* Takes QUERY apart into TEXT and PARAMETERS, of which there is room for enough. Gives their
 * number. Parameters without a name do not count, nor do for JDCLOUD3 those without an equals sign.
 */
static size_t read_query(const struct sign_request *request, struct buffer *text,
                         struct parameter *parameters)
{
    size_t count = 0;

    for (const char *part = request->query; *part;) {
        size_t length = strcspn(part, "&");
        size_t name = strcspn(part, "=");
        bool has_value = name < length;
        if (!has_value)
            name = length;
        if (name > 0 && (has_value || request->algorithm == SIGN_JDCLOUD2)) {
            const char *value = part + name + (has_value ? 1 : 0);
            parameters[count].name_at = add_recoded(text, part, name);
            parameters[count].value_at = add_recoded(text, value, (size_t)(part + length - value));
            count++;
        }
        part += length + (part[length] == '&' ? 1 : 0);
    }
    return count;
}

static void add_query(const struct sign_request *request, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(out->maximum);
    size_t most = 1;

    for (const char *c = request->query; *c; c++)
        most += *c == '&';
    CLEANUP_FREE struct parameter *parameters = calloc(most, sizeof(*parameters));
    size_t count = parameters ? read_query(request, &text, parameters) : 0;
    if (!parameters || buffer_failed(&text)) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        parameters[i].name = text.text + parameters[i].name_at;
        parameters[i].value = text.text + parameters[i].value_at;
    }
    qsort(parameters, count, sizeof(*parameters), compare_parameters);
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s%s=%s", i > 0 ? "&" : "", parameters[i].name, parameters[i].value);
}

/* --- the headers --- */

static int compare_names(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return (unsigned char)lower(*a) - (unsigned char)lower(*b);
}

/* Headers of one name keep their order: qsort() sorts pointers into the caller's array. */
static int compare_headers(const void *left, const void *right)
{
    const struct sign_header *a = *(const struct sign_header *const *)left;
    const struct sign_header *b = *(const struct sign_header *const *)right;
    int order = compare_names(a->name, b->name);

    return order != 0 ? order : a < b ? -1 : a > b;
}

static void add_lower(struct buffer *out, const char *name)
{
    for (; *name; name++) {
        char c = lower(*name);
        buffer_add(out, &c, 1);
    }
}

/* Trimmed; JDCLOUD2 makes one of many spaces inside, too. */
static void add_value(struct buffer *out, const char *value, enum sign_algorithm algorithm)
{
    size_t end = strlen(value);
    size_t start = 0;

    while (end > 0 && is_space(value[end - 1]))
        end--;
    while (start < end && is_space(value[start]))
        start++;
    for (size_t i = start; i < end; i++)
        if (algorithm != SIGN_JDCLOUD2 || value[i] != ' ' || value[i - 1] != ' ')
            buffer_add(out, value + i, 1);
}

/* The headers in the order in which they are signed; to be freed, NULL where there is no memory. */
static const struct sign_header **sorted_headers(const struct sign_request *request)
{
    const struct sign_header **sorted =
        calloc(request->header_count + 1, sizeof(const struct sign_header *));

    for (size_t i = 0; sorted && i < request->header_count; i++)
        sorted[i] = &request->headers[i];
    if (sorted)
        qsort(sorted, request->header_count, sizeof(const struct sign_header *), compare_headers);
    return sorted;
}

static bool same_name_as_last(const struct sign_header *const *sorted, size_t i)
{
    return i > 0 && compare_names(sorted[i - 1]->name, sorted[i]->name) == 0;
}

static void add_names(const struct sign_header *const *sorted, size_t count, struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        if (same_name_as_last(sorted, i))
            continue;
        if (i > 0)
            buffer_puts(out, ";");
        add_lower(out, sorted[i]->name);
    }
}

/* Appends the lines, an empty one, and the names. */
static void add_headers(const struct sign_request *request, const struct sign_header *const *sorted,
                        struct buffer *out)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (same_name_as_last(sorted, i)) {
            buffer_puts(out, ",");
        } else {
            buffer_puts(out, i > 0 ? "\n" : "");
            add_lower(out, sorted[i]->name);
            buffer_puts(out, ":");
        }
        add_value(out, sorted[i]->value, request->algorithm);
    }
    buffer_puts(out, request->header_count > 0 ? "\n\n" : "\n");
    add_names(sorted, request->header_count, out);
}

/* --- the whole --- */

static bool add_hash(struct buffer *out, const void *data, size_t length)
{
    unsigned char hash[HASH_SIZE];

    if (EVP_Digest(data, length, hash, NULL, EVP_sha256(), NULL) != 1)
        return false;
    add_hex(out, hash, sizeof(hash));
    return true;
}

static void add_payload_hash(const struct sign_request *request, struct buffer *out)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (compare_names(request->headers[i].name, HASH_HEADER) == 0) {
            add_value(out, request->headers[i].value, request->algorithm);
            return;
        }
    }
    if (!add_hash(out, request->payload ? request->payload : "", request->payload_length))
        out->failed = true;
}

void sign_canonical(const struct sign_request *request, struct buffer *out)
{
    CLEANUP_FREE const struct sign_header **sorted = sorted_headers(request);

    if (!sorted) {
        out->failed = true;
        return;
    }
    for (const char *c = request->method; *c; c++) {
        char capital = upper(*c);
        buffer_add(out, &capital, 1);
    }
    buffer_puts(out, "\n");
    add_path(request, out);
    buffer_puts(out, "\n");
    add_query(request, out);
    buffer_puts(out, "\n");
    add_headers(request, sorted, out);
    buffer_puts(out, "\n");
    add_payload_hash(request, out);
}

static bool is_date(const char *date)
{
    for (size_t i = 0; i < DATE_LENGTH; i++) {
        bool good = i == DAY_LENGTH        ? date[i] == 'T'
                    : i == DATE_LENGTH - 1 ? date[i] == 'Z'
                                           : is_digit(date[i]);
        if (!good) /* the NUL of a date that is too short among them */
            return false;
    }
    return date[DATE_LENGTH] == '\0';
}

static bool mac(unsigned char out[HASH_SIZE], const void *key, size_t key_length, const char *text,
                size_t length)
{
    unsigned int size = 0;

    return HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, length, out,
                &size) &&
           size == HASH_SIZE;
}

/* The key of one day, region and service. */
static bool derive_key(const struct sign_request *request, unsigned char key[HASH_SIZE])
{
    char secret[sizeof("JDCLOUD2") + SIGN_SECRET_MAX];
    char end[sizeof("jdcloud2_request")];
    int length = snprintf(secret, sizeof(secret), "JDCLOUD%d%s", (int)request->algorithm,
                          request->secret_key);

    (void)snprintf(end, sizeof(end), "jdcloud%d_request", (int)request->algorithm);
    bool done = mac(key, secret, (size_t)length, request->date, DAY_LENGTH) &&
                mac(key, key, HASH_SIZE, request->region, strlen(request->region)) &&
                mac(key, key, HASH_SIZE, request->service, strlen(request->service)) &&
                mac(key, key, HASH_SIZE, end, strlen(end));
    OPENSSL_cleanse(secret, sizeof(secret));
    return done;
}

static int sign_text(const struct sign_request *request, const struct buffer *text,
                     struct buffer *out)
{
    unsigned char key[HASH_SIZE];
    unsigned char signature[HASH_SIZE];
    bool done = derive_key(request, key) &&
                mac(signature, key, sizeof(key), buffer_text(text), text->length);

    OPENSSL_cleanse(key, sizeof(key));
    if (!done)
        return -ENOMEM;
    add_hex(out, signature, sizeof(signature));
    return 0;
}

int sign_authorization(const struct sign_request *request, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer canonical = BUFFER_INIT(1 << 24);
    CLEANUP_BUFFER struct buffer scope = BUFFER_INIT(1 << 16);
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(1 << 17);
    CLEANUP_FREE const struct sign_header **sorted = NULL;
    int version = (int)request->algorithm;

    if (!is_date(request->date) || strlen(request->secret_key) > SIGN_SECRET_MAX)
        return -EINVAL;
    sorted = sorted_headers(request);
    sign_canonical(request, &canonical);
    buffer_printf(&scope, "%.*s/%s/%s/jdcloud%d_request", DAY_LENGTH, request->date,
                  request->region, request->service, version);
    buffer_printf(&text, "JDCLOUD%d-HMAC-SHA256\n%s\n%s\n", version, request->date,
                  buffer_text(&scope));
    if (!sorted || buffer_failed(&canonical) || buffer_failed(&scope) ||
        !add_hash(&text, buffer_text(&canonical), canonical.length) || buffer_failed(&text))
        return -ENOMEM;
    buffer_printf(out, "JDCLOUD%d-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", version,
                  request->access_key, buffer_text(&scope));
    add_names(sorted, request->header_count, out);
    buffer_puts(out, ", Signature=");
    int result = sign_text(request, &text, out);
    return result < 0 ? result : buffer_failed(out) ? -ENOMEM : 0;
}
