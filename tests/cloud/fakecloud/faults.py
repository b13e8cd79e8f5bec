"""Misbehaviour on demand: rules that say which requests are met by what."""

from fakecloud.calls import OPERATIONS
from fakecloud.rows import ROWS
from fakecloud.settings import BadValue

# What a rule can do, and the parameters of each with their defaults.
ACTIONS = {
    "error": {"row": None, "http": None, "code": None, "status": None, "message": None,
              "body": "json"},
    "answer": {"http": 200, "headers": {}, "body": "", "base64": False},
    "cut": {"at": None},
    "drip": {"bytes_per_s": 100},
    "garbage": {"bytes": 512},
    "huge": {"mb": 64},
    "deep": {"levels": 100000},
    "raw": {"text": ""},
    "stream": {"head": None, "start": "", "piece": "", "pieces": 0, "end": ""},
    "reset": {},
    "close": {},
    "hang": {},
    "delay": {"ms": 1000},
}
# These spoil the answer that there is, so that the request has to be carried out first.
_SPOILING = ("cut", "drip")
_COMMON = {"operation": "*", "image": None, "pin": None, "account": None, "source": None,
           "skip": 0, "times": None, "probability": 1, "applied": None}
_BODIES = ("json", "html", "empty", "no-request-id")


class Fault:
    """One rule."""

    def __init__(self, number, record):
        action = record.get("do")
        if action not in ACTIONS:
            raise BadValue(f"do: {', '.join(ACTIONS)}, not {action!r}")
        known = {**_COMMON, **ACTIONS[action]}
        unknown = set(record) - set(known) - {"do"}
        if unknown:
            raise BadValue(f"{action} knows no {', '.join(sorted(unknown))}")
        self.number = number
        self.action = action
        values = {**known, **record}
        operations = values["operation"]
        self.operations = [operations] if isinstance(operations, str) else list(operations)
        for operation in self.operations:
            if operation not in OPERATIONS and operation != "*":
                raise BadValue(f"there is no operation {operation}")
        self.image, self.pin, self.account, self.source = (
            values[name] for name in ("image", "pin", "account", "source"))
        self.skip, self.times = values["skip"], values["times"]
        self.probability = values["probability"]
        self.applied = values["applied"]
        if self.applied is None:
            self.applied = action in _SPOILING
        self.parameters = {name: values[name] for name in ACTIONS[action]}
        if action == "error":
            self._check_error()
        self.met = 0

    def _check_error(self):
        row, body = self.parameters["row"], self.parameters["body"]
        if row is None and self.parameters["status"] is None:
            raise BadValue("error: a row, or http, status and message")
        if row is not None and row not in ROWS:
            raise BadValue(f"there is no row {row}")
        if body not in _BODIES:
            raise BadValue(f"body: {', '.join(_BODIES)}, not {body!r}")

    def matches(self, call, pins, account):
        """Whether the rule is for a request, apart from its counts and chance."""
        return (("*" in self.operations or call.operation in self.operations)
                and (self.image is None or self.image == (call.image or call.one("imageId")))
                and (self.pin is None or self.pin in pins)
                and (self.source is None or self.source == call.one("imageSource"))
                and (self.account is None or self.account == account))

    def as_dict(self):
        """The rule as it was given, its number, and how many requests it has met."""
        return {"number": self.number, "do": self.action, "operation": self.operations,
                "image": self.image, "pin": self.pin, "account": self.account, "source": self.source,
                "skip": self.skip, "times": self.times, "probability": self.probability,
                "applied": self.applied, "met": self.met, **self.parameters}


class Faults:
    """All rules; the first one that matches a request is for it, after any delays before."""

    def __init__(self, chance):
        self._chance = chance
        self._rules = []
        self._numbers = 0

    def add(self, record):
        """A rule more, behind the others."""
        self._numbers += 1
        fault = Fault(self._numbers, record)
        self._rules.append(fault)
        return fault

    def remove(self, number=None):
        """One rule, or all."""
        kept = [rule for rule in self._rules if number is not None and rule.number != number]
        if number is not None and len(kept) == len(self._rules):
            raise BadValue(f"there is no fault {number}")
        self._rules = kept

    def as_list(self):
        """All rules."""
        return [rule.as_dict() for rule in self._rules]

    def meet(self, call, account):
        """What is for a request: seconds of delay before and after its effect, and a fault."""
        before = after = 0.0
        if not self._rules:
            return before, after, None
        pins = call.pins_wanted()
        for rule in list(self._rules):
            if not rule.matches(call, pins, account):
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            if rule.probability < 1 and self._chance.random() >= rule.probability:
                continue
            rule.met += 1
            if rule.times is not None and rule.met >= rule.times:
                self._rules.remove(rule)
            if rule.action != "delay":
                return before, after, rule
            if rule.applied:
                after += rule.parameters["ms"] / 1000
            else:
                before += rule.parameters["ms"] / 1000
        return before, after, None
