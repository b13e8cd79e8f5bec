"""The command line client of the control interface."""

import argparse
import json
import socket
import sys
import time
from urllib.parse import quote, urlencode, urlsplit

from fakecloud.settings import BadValue
from fakecloud.words import values_of


# Members that are text, also where it looks like a number: a pin may be all digits.
_TEXTS = ("pin", "account", "image", "owner", "mobile", "login_name", "account_id", "name", "desc",
          "text", "message")


class Refused(RuntimeError):
    """The control interface says no."""


def ask(url, path="", command=None):
    """Reads from the control interface, or tells it a command."""
    parts = urlsplit(url)
    body = json.dumps(command).encode() if command is not None else b""
    head = (f"{'POST' if body else 'GET'} /_control{path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n")
    # A module for HTTP would take longer to load than all the rest.
    with socket.create_connection((parts.hostname, parts.port), 60) as sock:
        sock.sendall(head.encode() + body)
        with sock.makefile("rb") as file:
            status = file.readline().split()
            while file.readline().strip():
                pass
            answer = json.loads(file.read())
    if status[1] != b"200":
        raise Refused(answer["error"])
    return answer


def members_of(words):
    """NAME=VALUE words as members of an object; a value may be JSON."""
    members = {}
    for name, value in values_of(words, _TEXTS).items():
        if name not in _TEXTS and isinstance(value, str) and value[:1] in "[{\"n":
            try:
                value = json.loads(value)
            except ValueError:
                pass
        members[name] = value
    return members


def _requests_path(options):
    query = dict(word.partition("=")[::2] for word in options.conditions if "=" in word)
    for word in options.conditions:
        if "=" not in word:
            query["operation"] = word
    if options.after:
        query["after"] = options.after
    if options.count:
        query["count"] = 1
    return "/requests?" + urlencode(query)


# --- one function a subcommand; each returns what is to be printed ---

def _get(options):
    return ask(options.url, "/" + "/".join(quote(part, safe="?&=") for part in options.path))


def _post(options):
    return ask(options.url, command=json.loads(options.json))


def _set(options):
    return ask(options.url, command={"do": "set", "settings": values_of(options.values)})


def _fault(options):
    fault = {"do": options.action, "operation": options.operation, **members_of(options.values)}
    return ask(options.url, command={"do": "fault", "fault": fault})


def _clear(options):
    return ask(options.url, command={"do": "clear-faults", "number": options.number})


def _requests(options):
    answer = ask(options.url, _requests_path(options))
    return answer["count"] if options.count else answer


def _wait(options):
    """Waits until so many requests of an operation have arrived."""
    deadline = time.monotonic() + options.timeout
    while True:
        count = ask(options.url, "/counts")["operations"].get(options.operation, 0)
        if count >= options.count:
            return count
        if time.monotonic() > deadline:
            raise Refused(f"{count} requests of {options.operation}, not {options.count}")
        time.sleep(0.02)


def _members(options):
    answer = ask(options.url, "/members/" + quote(options.image, safe=""))
    return "\n".join(answer["visible" if options.visible else "pins"])


def _share(options):
    return ask(options.url, command={"do": options.command, "image": options.image,
                                     "pin": options.pin})


def _release(options):
    return ask(options.url, command={"do": "release", "image": options.image,
                                     "released": not options.take_back})


def _add_images(options):
    answer = ask(options.url, command={"do": "add-images", "count": options.count,
                                       "image": members_of(options.values)})
    return "\n".join(answer["images"])


def _add_image(options):
    return ask(options.url, command={"do": "add-image",
                                     "image": members_of(options.values)})["image"]


def _update_image(options):
    return ask(options.url, command={"do": "update-image", "image": options.image,
                                     "changes": members_of(options.values)})


def _remove_image(options):
    return ask(options.url, command={"do": "remove-image", "image": options.image})


def _add_account(options):
    return ask(options.url, command={"do": "add-account", "account": {
        "pin": options.pin, **members_of(options.values)}})


def _remove_account(options):
    return ask(options.url, command={"do": "remove-account", "pin": options.pin})


def _drop(options):
    return ask(options.url, command={"do": "drop-connections", "idle_only": options.idle,
                                     "how": "reset" if options.reset else "close"})


def _plain(options):
    return ask(options.url, command={"do": options.command})


def _parser():
    parser = argparse.ArgumentParser(
        prog="control", description="Tells a running fake cloud what to do, and asks it.")
    parser.add_argument("url", metavar="URL", help="the control URL of the fake cloud")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, function, about, *words):
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(function=function)
        for word in words:
            command.add_argument(word)
        return command

    def add_values(command, least="*"):
        command.add_argument("values", nargs=least, metavar="NAME=VALUE")
        return command

    add("get", _get, "read: overview, settings, switches, faults, actions, rows, operations, "
        "counts, connections, members IMAGE, image IMAGE, images, accounts, state"
        ).add_argument("path", nargs="*")
    add("post", _post, "send a command, or a list of commands, as it is", "json")
    add_values(add("set", _set, "set switches"), "+")
    add_values(add("fault", _fault, "add a fault", "operation", "action"))
    add("clear", _clear, "remove all faults, or one").add_argument("number", nargs="?", type=int)
    command = add("requests", _requests, "the requests, or how many; OPERATION or NAME=VALUE "
                  "choose some")
    command.add_argument("--count", action="store_true")
    command.add_argument("--after", type=int, metavar="NUMBER", help="only later ones")
    command.add_argument("conditions", nargs="*", metavar="OPERATION|NAME=VALUE")
    command = add("wait", _wait, "wait until so many requests of an operation have arrived",
                  "operation")
    command.add_argument("count", type=int)
    command.add_argument("--timeout", type=float, default=10)
    command = add("members", _members, "the pins that an image is shared with", "image")
    command.add_argument("--visible", action="store_true", help="as lists show it")
    add("share", _share, "share an image, as another client would", "image", "pin")
    add("cancel", _share, "cancel a share, as another client would", "image", "pin")
    add("release", _release, "offer an image to everybody", "image").add_argument(
        "--take-back", action="store_true")
    command = add("add-images", _add_images, "add images that differ in id and name: owner=PIN")
    command.add_argument("count", type=int)
    add_values(command)
    add_values(add("add-image", _add_image, "add an image: owner=PIN name=NAME ..."))
    add_values(add("update-image", _update_image, "change an image: status=, task=, limit= ...",
                   "image"), "+")
    add("remove-image", _remove_image, "remove an image", "image")
    add_values(add("add-account", _add_account, "add an account: mobile=, login_name=, keys=",
                   "pin"))
    add("remove-account", _remove_account, "remove an account", "pin")
    command = add("drop-connections", _drop, "close connections")
    command.add_argument("--idle", action="store_true", help="only idle ones")
    command.add_argument("--reset", action="store_true", help="reset them")
    add("resume", _plain, "go on with the requests that hang")
    add("reset-requests", _plain, "forget the requests and the counts")
    add("reset", _plain, "switches, faults and counts as at the start")
    return parser


def main(arguments=None):
    """Runs one command."""
    options = _parser().parse_args(arguments)
    try:
        answer = options.function(options)
    except (OSError, ValueError, BadValue, Refused) as error:
        print(f"control: {error}", file=sys.stderr)
        return 1
    if not isinstance(answer, str):
        print(json.dumps(answer, ensure_ascii=False, indent=1))
    elif answer:
        print(answer)
    return 0
