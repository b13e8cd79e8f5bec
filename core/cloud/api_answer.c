/*
 * What an HTTP answer means: see api.h.
 *
 * The body's own word (error.status) counts most, then its code, then the status of HTTP: one HTTP
 * status has several meanings (429), and an error can come with 200.
 */
#include "core/base/text.h"
#include "core/cloud/api.h"
#include "core/rules/refusal.h"

#include <string.h>

/* Values in one answer at most: what is parsed takes up to 150 bytes of memory each, so that a
 * small answer could ask for a lot. A million members fit. */
#define VALUES_MAX (1 << 18)
#define MEMBERS_MAX (1 << 21)

/* What is to be done about an error; REFUSED looks into its message. */
enum kind {
    KIND_REFUSED,
    KIND_KEY,
    KIND_FORBIDDEN,
    KIND_NOT_FOUND,
    KIND_BUSY,
    KIND_EXISTS,
    KIND_QUOTA,
    KIND_RATE,
    KIND_FAILED,      /* it may have been carried out */
    KIND_UNAVAILABLE, /* it is not carried out */
    KIND_UNSUPPORTED,
};

static const struct {
    const char *status;
    enum kind kind;
} words[] = {
    {"INVALID_ARGUMENT", KIND_REFUSED},
    {"FAILED_PRECONDITION", KIND_REFUSED},
    {"OUT_OF_RANGE", KIND_REFUSED},
    {"DUPLICATE", KIND_REFUSED},
    {"HTTP_BAD_REQUEST", KIND_REFUSED},
    {"UNAUTHENTICATED", KIND_KEY},
    {"ACCESS_ERROR", KIND_KEY},
    {"HTTP_UNAUTHORIZED", KIND_KEY},
    {"HTTP_FORBIDDEN", KIND_FORBIDDEN},
    {"FORBIDDEN", KIND_FORBIDDEN},
    {"PERMISSION_DENIED", KIND_FORBIDDEN},
    {"NOT_FOUND", KIND_NOT_FOUND},
    {"HTTP_NOT_FOUND", KIND_NOT_FOUND},
    {"ABORTED", KIND_BUSY},
    {"ALREADY_EXISTS", KIND_EXISTS},
    {"HTTP_REQUEST_ENTITY_TOO_LARGE", KIND_UNSUPPORTED},
    {"HTTP_URI_TOO_LONG", KIND_UNSUPPORTED},
    {"QUOTA_EXCEEDED", KIND_QUOTA},
    {"RATE_LIMIT", KIND_RATE},
    {"HTTP_RATE_LIMIT_EXCEEDED", KIND_RATE},
    {"CANCELLED", KIND_FAILED},
    {"UNKNOWN", KIND_FAILED},
    {"INTERNAL", KIND_FAILED},
    {"HTTP_INTERNAL_SERVER_ERROR", KIND_FAILED},
    {"NOT_IMPLEMENTED", KIND_UNSUPPORTED},
    {"SOURCE_UNAVAILABLE", KIND_FAILED},
    {"HTTP_BAD_GATEWAY", KIND_FAILED},
    {"UNAVAILABLE", KIND_UNAVAILABLE},
    {"HTTP_SERVICE_UNAVAILABLE", KIND_UNAVAILABLE},
    {"HTTP_SERVER_TIMING_OUT", KIND_FAILED},
};

static enum kind kind_of_code(int code)
{
    switch (code) {
    case 401:
        return KIND_KEY;
    case 403:
        return KIND_FORBIDDEN;
    case 404:
        return KIND_NOT_FOUND;
    case 409:
        return KIND_BUSY;
    case 429:
        return KIND_RATE;
    case 408: /* the request did not arrive whole, or its answer was given up */
    case 499:
        return KIND_FAILED;
    case 501:
        return KIND_UNSUPPORTED;
    case 503:
        return KIND_UNAVAILABLE;
    default:
        return code >= 500 ? KIND_FAILED : KIND_REFUSED;
    }
}

/* --- the words of an error --- */

/* The end of the quotation that begins at QUOTE: a quote behind which the word ends, too. NULL
 * where there is none. */
static const char *quotation_end(const char *quote)
{
    for (const char *c = quote + 1; *c; c++)
        if (*c == '\'' && (c[1] == '\0' || strchr(" .,;:)", c[1])))
            return c;
    return NULL;
}

/* The end of the quotation of PIN (not NULL) that begins at QUOTE; NULL where it is none. */
static const char *pin_end(const char *quote, const char *pin)
{
    size_t length = strlen(pin);

    return strncmp(quote + 1, pin, length) == 0 && quote[1 + length] == '\'' ? quote + 1 + length
                                                                             : NULL;
}

/* The message without what it quotes, in lower case: a pin or an image may be called anything, and
 * PIN (NULL: unknown) may hold quotes. A quotation begins after a space, so that the one in "Can't"
 * does not. */
static void plain_words(const char *message, const char *pin, struct buffer *out)
{
    for (const char *c = message; *c; c++) {
        bool quote = c > message && c[-1] == ' ' && *c == '\'';
        const char *end = quote && pin ? pin_end(c, pin) : NULL;
        if (quote && !end)
            end = quotation_end(c);
        if (end)
            c = end;
        char lower = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        buffer_add(out, &lower, 1);
    }
}

/* Eleven digits that begin as mobile numbers in China do, perhaps after the country's code. */
static bool is_mobile_number(const char *pin)
{
    if (*pin == '+')
        pin++;
    if (strlen(pin) == 13 && strncmp(pin, "86", 2) == 0)
        pin += 2;
    return strlen(pin) == 11 && strspn(pin, "0123456789") == 11 && pin[0] == '1' && pin[1] >= '3';
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_unknown_pin(const char *said)
{
    return begins(said, "invalid pin") || (begins(said, "pin ") && strstr(said, "not found")) ||
           strstr(said, "账号不存在"); /* the console's words: the account does not exist */
}

/* The wanted state holds already. No document lists such an error; services of this kind have them.
 */
static bool is_so_already(enum call_operation operation, const char *said)
{
    if (operation == CALL_SHARE)
        return strstr(said, "already shared") || strstr(said, "already been shared") ||
               strstr(said, "shared already");
    return operation == CALL_UNSHARE &&
           (strstr(said, "not shared") || strstr(said, "not been shared") ||
            strstr(said, "n't shared") || strstr(said, "n't been shared") ||
            strstr(said, "share not found") || strstr(said, "not a member"));
}

static void conclude(struct api_answer *out, enum api_verdict verdict, int refusal)
{
    out->verdict = verdict;
    out->result = -refusal;
}

/* The errors of single operations. Returns false where the message says nothing that is known. */
static bool understand_words(enum call_operation operation, const char *pin, const char *said,
                             struct api_answer *out)
{
    bool share = operation == CALL_SHARE;

    if (is_so_already(operation, said))
        conclude(out, API_DONE, 0);
    else if (strstr(said, "conflict with underlay") || strstr(said, "is busy"))
        conclude(out, API_AGAIN, REFUSAL_SERVICE_BUSY);
    else if (is_unknown_pin(said) && operation == CALL_UNSHARE)
        conclude(out, API_UNKNOWN, REFUSAL_SERVICE_REFUSED);
    else if (is_unknown_pin(said) && share)
        conclude(out, API_REFUSED,
                 pin && is_mobile_number(pin) ? REFUSAL_MOBILE_NUMBER : REFUSAL_NO_ACCOUNT);
    else if (strstr(said, "can't use this image"))
        conclude(out, API_REFUSED, REFUSAL_NOT_OWNER);
    else if (begins(said, "image ") && strstr(said, "not found"))
        conclude(out, API_REFUSED, REFUSAL_IMAGE_GONE);
    else if (share && strstr(said, "community"))
        conclude(out, API_REFUSED, REFUSAL_IMAGE_RELEASED);
    else if (share && strstr(said, "encrypted"))
        conclude(out, API_REFUSED, REFUSAL_IMAGE_ENCRYPTED);
    else
        return false;
    return true;
}

/* An error of KIND. STRANGER: it does not come from the service, as far as can be seen. */
static void understand_error(enum call_operation operation, const char *pin, enum kind kind,
                             const char *said, bool stranger, struct api_answer *out)
{
    switch (kind) {
    case KIND_REFUSED:
        if (!understand_words(operation, pin, said, out))
            conclude(out, API_REFUSED, REFUSAL_SERVICE_REFUSED);
        break;
    case KIND_NOT_FOUND: /* also: no such way through the gateway */
        if (!understand_words(operation, pin, said, out))
            conclude(out, API_REFUSED, REFUSAL_SERVICE_ANSWER);
        break;
    case KIND_BUSY:
        if (!understand_words(operation, pin, said, out))
            conclude(out, API_AGAIN, REFUSAL_SERVICE_BUSY);
        break;
    case KIND_EXISTS:
        if (operation == CALL_SHARE)
            conclude(out, API_DONE, 0);
        else if (!understand_words(operation, pin, said, out))
            conclude(out, API_REFUSED, REFUSAL_SERVICE_REFUSED);
        break;
    case KIND_QUOTA:
        conclude(out, API_REFUSED,
                 operation == CALL_SHARE ? REFUSAL_IMAGE_LIMIT : REFUSAL_SERVICE_REFUSED);
        break;
    case KIND_KEY:
        conclude(out, API_REFUSED, REFUSAL_SERVICE_KEY);
        break;
    case KIND_FORBIDDEN:
        conclude(out, API_REFUSED, REFUSAL_SERVICE_FORBIDDEN);
        break;
    case KIND_RATE:
        conclude(out, API_RATE, REFUSAL_SERVICE_RATE);
        break;
    case KIND_UNAVAILABLE:
        /* Only the service knows that it has not begun; a stranger's 503 may come after it. */
        conclude(out, stranger ? API_UNKNOWN : API_AGAIN, REFUSAL_SERVICE_FAILED);
        break;
    case KIND_UNSUPPORTED:
        conclude(out, API_REFUSED, REFUSAL_SERVICE_REFUSED);
        break;
    case KIND_FAILED:
        conclude(out, API_UNKNOWN, REFUSAL_SERVICE_FAILED);
        break;
    }
}

/* --- the body --- */

/* False where DATA holds more than MOST values. What is in strings does not count. */
static bool values_fit(const char *data, size_t length, size_t most)
{
    bool in_string = false;
    size_t values = 1;

    for (size_t i = 0; i < length && values <= most; i++) {
        if (data[i] == '"')
            in_string = !in_string;
        else if (in_string && data[i] == '\\')
            i++;
        else if (!in_string && (data[i] == ',' || data[i] == '[' || data[i] == '{'))
            values++;
    }
    return values <= most;
}

/* The answer as an object, NULL where it is none. */
static json_t *decode(enum call_operation operation, const char *data, size_t length)
{
    size_t most = operation == CALL_MEMBERS ? MEMBERS_MAX : VALUES_MAX;
    json_t *root = NULL;

    if (length > 0 && values_fit(data, length, most))
        root = json_loadb(data, length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    return root;
}

void api_printable(const char *text, char *out, size_t size)
{
    CLEANUP_BUFFER struct buffer safe = BUFFER_INIT(size - 1);

    text_escape(&safe, text);
    (void)snprintf(out, size, "%s", buffer_text(&safe));
}

/* The kind of an error in the body: its word, else its number, else the status of HTTP. Products
 * have numbers of their own, some with the status of HTTP in front (40301). */
static enum kind kind_of_error(const json_t *error, int status)
{
    const char *word = json_string_value(json_object_get(error, "status"));
    json_int_t code = json_integer_value(json_object_get(error, "code"));

    for (size_t i = 0; word && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i].status) == 0)
            return words[i].kind;
    if (code >= 40000 && code < 60000)
        code /= 100;
    if (code >= 400 && code < 600)
        return kind_of_code((int)code);
    return kind_of_code(status >= 400 ? status : 400);
}

static void understand_body_error(enum call_operation operation, const char *pin, int status,
                                  const json_t *error, struct api_answer *out)
{
    CLEANUP_BUFFER struct buffer said = BUFFER_INIT(4096);
    const char *message = json_string_value(json_object_get(error, "message"));
    enum kind kind = kind_of_error(error, status);

    if (!message)
        message = json_string_value(error); /* an error that is a mere sentence */
    if (!message)
        message = "";
    api_printable(message, out->message, sizeof(out->message));
    plain_words(message, pin, &said);
    /* Where only the number says 429, the words say which of its two meanings it has. */
    if (kind == KIND_RATE && !json_object_get(error, "status") &&
        strstr(buffer_text(&said), "quota"))
        kind = KIND_QUOTA;
    understand_error(operation, pin, kind, buffer_text(&said), false, out);
}

static bool is_change(enum call_operation operation)
{
    return operation == CALL_SHARE || operation == CALL_UNSHARE;
}

static void understand_object(enum call_operation operation, const char *pin, int status,
                              const json_t *root, struct api_answer *out)
{
    json_t *error = json_object_get(root, "error");
    json_t *result = json_object_get(root, "result");

    if (error && !json_is_null(error)) {
        out->spoke = true;
        understand_body_error(operation, pin, status, error, out);
    } else if (status < 200 || status >= 300) {
        understand_error(operation, pin, status < 400 ? KIND_NOT_FOUND : kind_of_code(status), "",
                         !out->spoke, out);
    } else if (json_is_object(result)) {
        out->spoke = true;
        out->body = json_incref(result);
        conclude(out, API_DONE, 0);
    } else if (is_change(operation)) {
        conclude(out, API_DONE, 0);
    }
}

void api_understand(enum call_operation operation, const char *pin, int status, const char *data,
                    size_t length, struct api_answer *out)
{
    memset(out, 0, sizeof(*out));
    conclude(out, API_UNKNOWN, REFUSAL_SERVICE_ANSWER);
    json_t *root = decode(operation, data, length);
    const char *request_id = json_string_value(json_object_get(root, "requestId"));
    if (request_id) {
        api_printable(request_id, out->request_id, sizeof(out->request_id));
        out->spoke = *request_id != '\0';
    }
    if (root)
        understand_object(operation, pin, status, root, out);
    else if (status < 200 || status >= 300) /* a redirection among them, which is not followed */
        understand_error(operation, pin, status < 400 ? KIND_NOT_FOUND : kind_of_code(status), "",
                         true, out);
    json_decref(root);
}

void api_answer_dispose(struct api_answer *answer)
{
    json_decref(STEAL(answer->body));
}
