#!/usr/bin/python3
"""usage: sign_cases.py >sign_cases.h

The cases of test_sign.c, from an implementation of JD Cloud's signatures that shares nothing with the
one under test.
"""
import hashlib
import hmac
import re
from urllib.parse import quote, unquote_to_bytes

KEPT = "-._~"

CASES = [
    # name, version, method, path, query, payload, headers, region, service, secret
    ("a list of images", 3, "GET", "/v1/regions/cn-north-1/images",
     "imageSource=private&pageNumber=1&pageSize=100", "", {}, "cn-north-1", "vm", "SK"),
    ("the same with JDCLOUD2", 2, "GET", "/v1/regions/cn-north-1/images",
     "imageSource=private&pageNumber=1&pageSize=100", "", {}, "cn-north-1", "vm", "SK"),
    ("a colon as it is sent", 3, "POST", "/v1/regions/cn-north-1/images/img-1:share", "",
     '{"pins":["alice"]}', {}, "cn-north-1", "vm", "SK"),
    ("a colon that is encoded", 2, "POST", "/v1/regions/cn-north-1/images/img-1%3Aunshare", "",
     '{"pins":["alice"]}', {}, "cn-north-1", "vm", "SK"),
    ("an order of parameters", 3, "GET", "/q", "b=2&a=3&a=1&a%20=0&A=9&a.10=x&a.9=y", "", {}, "r",
     "s", "SK"),
    ("names and values with everything", 3, "GET", "/q",
     "filters.1.name=resourceTypes&imageId=a/b%2Fc+d%20e&%E4%BA%AC=%e4%ba%ac&x=a=b&y=%zz&z=%", "",
     {}, "r", "s", "SK"),
    ("parameters without names and values", 3, "GET", "/q", "&&=1&a=&b&", "", {}, "r", "s", "SK"),
    ("a name without a value with JDCLOUD2", 2, "GET", "/q", "b&a=1", "", {}, "r", "s", "SK"),
    ("many slashes with JDCLOUD3", 3, "GET", "//v1///a%2F%2Fb//", "", "", {}, "r", "s", "SK"),
    ("many slashes with JDCLOUD2", 2, "GET", "//v1///a//", "", "", {}, "r", "s", "SK"),
    ("a plus sign in a path with JDCLOUD2", 2, "GET", "/a+b", "", "", {}, "r", "s", "SK"),
    ("no path", 3, "GET", "", "", "", {}, "jdcloud-api", "user", "SK"),
    ("spaces in a header with JDCLOUD3", 3, "GET", "/", "", "",
     {"X-Free": " \t a  b   c \r\n"}, "r", "s", "SK"),
    ("spaces in a header with JDCLOUD2", 2, "GET", "/", "", "",
     {"X-Free": " \t a  b   c \r\n"}, "r", "s", "SK"),
    ("a token, and a long secret key", 3, "GET", "/", "", "",
     {"x-jdcloud-security-token": "dG9r/+="}, "r", "s", "K" * 200),
    ("a payload in UTF-8, and a method in small letters", 2, "post", "/v1/京东", "", "云",
     {}, "r", "s", "密"),
]
DATE = "20261124T020300Z"
ALWAYS = {"Host": "127.0.0.1:18080", "Content-Type": "application/json", "x-jdcloud-date": DATE,
          "x-jdcloud-nonce": "51a59790-0f4a-4047-91cb-03fbc47f1e40"}


def canonical_path(version, path):
    raw = unquote_to_bytes(path.replace("+", " ") if version == 3 else path)
    if version == 3:
        raw = re.sub(rb"/+", b"/", raw)
    return quote(raw if raw.startswith(b"/") else b"/" + raw, safe=KEPT + "/")


def canonical_query(version, query):
    pairs = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if name and (equals or version == 2):
            pairs.append(tuple(quote(unquote_to_bytes(text.replace("+", " ")), safe=KEPT)
                               for text in (name, value)))
    return "&".join("=".join(pair) for pair in sorted(pairs))


def sign(version, method, path, query, payload, headers, region, service, secret):
    lines = {}
    for name, value in {**ALWAYS, **headers}.items():
        value = value.strip()
        lines[name.lower()] = re.sub(" +", " ", value) if version == 2 else value
    names = ";".join(sorted(lines))
    canonical = "\n".join([
        method.upper(), canonical_path(version, path), canonical_query(version, query),
        *(f"{name}:{lines[name]}" for name in sorted(lines)), "", names,
        hashlib.sha256(payload.encode()).hexdigest()])
    scope = f"{DATE[:8]}/{region}/{service}/jdcloud{version}_request"
    text = "\n".join([f"JDCLOUD{version}-HMAC-SHA256", DATE, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"JDCLOUD{version}{secret}".encode()
    for part in [*scope.split("/"), text]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return (f"JDCLOUD{version}-HMAC-SHA256 Credential=AK/{scope}, SignedHeaders={names}, "
            f"Signature={key.hex()}")


def literal(text):
    """TEXT as a C string: a code of three octal digits takes nothing from what follows."""
    return '"' + "".join(chr(c) if 32 <= c < 127 and c not in b'"\\?' else f"\\{c:03o}"
                         for c in text.encode()) + '"'


print("/* Made by sign_cases.py. */")
print(f"#define SIGN_CASE_DATE {literal(DATE)}")
for header, value in ALWAYS.items():
    if header != "x-jdcloud-date":
        print(f"#define SIGN_CASE_{re.sub('^X_JDCLOUD_', '', header.upper().replace('-', '_'))} "
              f"{literal(value)}")
print("static const struct sign_case sign_cases[] = {")
for name, version, method, path, query, payload, extra, *rest in CASES:
    header, value = next(iter(extra.items()), (None, None))
    texts = [name, method, path, query, payload, header, value, *rest,
             sign(version, method, path, query, payload, extra, *rest)]
    print(f"{{{version}, " + ", ".join("NULL" if t is None else literal(t) for t in texts) + "},")
print("};")
