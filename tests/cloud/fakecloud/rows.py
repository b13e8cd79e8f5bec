"""What the service answers when it refuses: HTTP status, status word and message of each case."""

import json

_GATEWAY_MARK = " [gw]"

# Name: (HTTP status, status word, message). Names in braces are filled in from the request.
ROWS = {
    # Images and shares.
    "image-not-found": (404, "NOT_FOUND", "Image '{image}' not found"),
    "image-not-yours": (400, "FAILED_PRECONDITION", "Can't use this image"),
    "community": (400, "FAILED_PRECONDITION", "Community image can't be shared"),
    "task-conflict": (400, "FAILED_PRECONDITION",
                      "Conflict with underlay image task '{task}'"),
    "encrypted": (400, "FAILED_PRECONDITION",
                  "Share encrypted snapshot '{snapshot}' is not support."),
    "pin-invalid": (400, "FAILED_PRECONDITION", "Invalid pin '{pin}'"),
    "pin-not-found": (400, "FAILED_PRECONDITION", "Pin '{pin}' not found"),
    "already-shared": (409, "ALREADY_EXISTS", "Image '{image}' is already shared with '{pin}'"),
    "not-shared": (400, "FAILED_PRECONDITION", "Image '{image}' is not shared with '{pin}'"),
    "share-quota": (429, "QUOTA_EXCEEDED", "Image share quota limit exceeded"),
    "image-quota": (429, "QUOTA_EXCEEDED", "Image quota limit exceeded"),
    "source-missing": (400, "FAILED_PRECONDITION", "Parameter ImageSource missing"),
    "page-size": (400, "OUT_OF_RANGE", "PageSize out of range"),
    "page-number": (400, "OUT_OF_RANGE", "PageNumber out of range"),
    "image-id-missing": (400, "INVALID_ARGUMENT", "Parameter ImageId missing"),
    "attribute-missing": (400, "INVALID_ARGUMENT", "Parameter name、description missing"),
    "parameter-invalid": (400, "INVALID_ARGUMENT", "Parameter {parameter} invalid"),
    "parameter-missing": (400, "INVALID_ARGUMENT", "Parameter {parameter} missing"),
    "region": (400, "INVALID_ARGUMENT", "Invalid RegionId '{region}'"),
    "delete-protected": (400, "FAILED_PRECONDITION", "Can't delete protected image"),
    "delete-this": (400, "FAILED_PRECONDITION", "Can't delete this image"),
    "delete-community": (400, "FAILED_PRECONDITION", "Can't delete community image"),
    "delete-shared": (400, "FAILED_PRECONDITION", "Can't delete shared image"),
    "image-busy": (400, "FAILED_PRECONDITION", "The image '{image}' is busy"),
    "local-disk-used": (400, "FAILED_PRECONDITION", "Local-System-Disk image cannot be deleted "
                        "if it has been used to create instances"),
    "name-duplicate": (400, "DUPLICATE", "Image name '{name}' is duplicate"),
    "user-not-found": (404, "NOT_FOUND", "User not found"),
    # Of every product.
    "invalid-argument": (400, "INVALID_ARGUMENT", "Invalid argument"),
    "failed-precondition": (400, "FAILED_PRECONDITION", "Failed precondition"),
    "out-of-range": (400, "OUT_OF_RANGE", "Out of range"),
    "unauthenticated": (401, "UNAUTHENTICATED", "Unauthenticated"),
    "not-found": (404, "NOT_FOUND", "Not found"),
    "aborted": (409, "ABORTED", "Aborted"),
    "already-exists": (409, "ALREADY_EXISTS", "Already exists"),
    "rate-limit": (429, "RATE_LIMIT", "Rate limit exceeded"),
    "cancelled": (499, "CANCELLED", "Cancelled"),
    "internal": (500, "INTERNAL", "Internal server error"),
    "unknown": (500, "UNKNOWN", "Unknown server error"),
    "not-implemented": (501, "NOT_IMPLEMENTED", "Not implemented"),
    "source-unavailable": (502, "SOURCE_UNAVAILABLE", "Source unavailable"),
    "unavailable": (503, "UNAVAILABLE", "Unavailable"),
    # Of the gateway in front of every product.
    "bad-request": (400, "HTTP_BAD_REQUEST", "Bad request" + _GATEWAY_MARK),
    "signature": (401, "ACCESS_ERROR", "sign result is not same" + _GATEWAY_MARK),
    "credentials": (401, "ACCESS_ERROR", "Invalid authentication credentials" + _GATEWAY_MARK),
    "access-key": (401, "ACCESS_ERROR", "Invalid accessKey" + _GATEWAY_MARK),
    "authorization-missing": (401, "ACCESS_ERROR", "lack of header authorization" + _GATEWAY_MARK),
    "credential-missing": (401, "ACCESS_ERROR",
                           "lack of credential in the header authorization" + _GATEWAY_MARK),
    "date-missing": (401, "ACCESS_ERROR", "lack of header x-jdcloud-date" + _GATEWAY_MARK),
    "nonce-missing": (401, "ACCESS_ERROR", "lack of header x-jdcloud-nonce" + _GATEWAY_MARK),
    "signed-headers-missing": (401, "ACCESS_ERROR",
                               "lack of header signedHeaders" + _GATEWAY_MARK),
    "nonce-used": (401, "ACCESS_ERROR", "nonce has been used" + _GATEWAY_MARK),
    "clock-skew": (401, "ACCESS_ERROR", "x-jdcloud-date is out of range" + _GATEWAY_MARK),
    "ip-forbidden": (403, "HTTP_FORBIDDEN", "Your IP address is not allowed" + _GATEWAY_MARK),
    "api-disabled": (403, "HTTP_FORBIDDEN", "api is disabled" + _GATEWAY_MARK),
    "no-route": (404, "NOT_FOUND",
                 "no route and no API found with those values" + _GATEWAY_MARK),
    "length-missing": (411, "HTTP_LENGTH_REQUIRED", "Length required" + _GATEWAY_MARK),
    "too-large": (413, "HTTP_REQUEST_ENTITY_TOO_LARGE",
                  "Request entity too large" + _GATEWAY_MARK),
    "uri-too-long": (414, "HTTP_URI_TOO_LONG", "URI too long" + _GATEWAY_MARK),
    "rate-limit-ak": (429, "HTTP_RATE_LIMIT_EXCEEDED",
                      "minute rate limit exceeded, role:ak" + _GATEWAY_MARK),
    "rate-limit-api": (429, "HTTP_RATE_LIMIT_EXCEEDED",
                       "minute rate limit exceeded, role:api" + _GATEWAY_MARK),
    "gateway-error": (500, "HTTP_INTERNAL_SERVER_ERROR",
                      "An unexpected error occurred" + _GATEWAY_MARK),
    "bad-gateway": (502, "HTTP_BAD_GATEWAY", "Bad gateway" + _GATEWAY_MARK),
    "service-unavailable": (503, "HTTP_SERVICE_UNAVAILABLE",
                            "Service unavailable" + _GATEWAY_MARK),
    "timing-out": (504, "HTTP_SERVER_TIMING_OUT", "Server timing out" + _GATEWAY_MARK),
}


# Made once: dumps() with arguments makes an encoder each time.
to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Refusal(Exception):
    """The service says no: a row of the table, with what its message names."""

    def __init__(self, row, **names):
        super().__init__(row)
        self.row = row
        self.names = names


class _Names(dict):
    """What a message names and nobody knows is shown as xx, as the documents do."""

    def __missing__(self, key):
        return "xx"


def message_of(row, names):
    """The message of a row, filled in."""
    return ROWS[row][2].format_map(_Names(names))


def error_body(request_id, code, status, message):
    """The body of a refusal, as the service has it."""
    return to_json({"error": {"message": message, "status": status, "code": code},
                    "requestId": request_id})
