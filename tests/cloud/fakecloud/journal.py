"""What was asked: a record of each request, and counts. No secret and no signature is in it."""

import collections
import time

_KEPT = 100000


class Journal:
    """The last requests, and counts of all since the last reset."""

    def __init__(self):
        self.reset()

    def reset(self):
        """Nothing was asked yet."""
        self._entries = collections.deque(maxlen=_KEPT)
        self._number = 0
        self.operations = collections.Counter()
        self.statuses = collections.Counter()
        self.signatures = collections.Counter()
        self.events = collections.Counter()

    def open(self, request, call, authorization, account, verdict):
        """A request has arrived; its record, to be completed."""
        self._number += 1
        operation = call.operation or "none"
        self.operations[operation] += 1
        self.signatures[verdict] += 1
        entry = {
            "number": self._number, "time": time.time(), "method": request.method,
            "path": request.target, "operation": operation, "region": call.region,
            "image": call.image or call.one("imageId"), "pins": call.pins_wanted(),
            "account": account,
            "access_key": authorization.access_key if authorization else None,
            "algorithm": f"JDCLOUD{authorization.version}" if authorization else None,
            "signed": ";".join(authorization.signed) if authorization else None,
            "signature": verdict, "date": request.headers.get("x-jdcloud-date"),
            "nonce": request.headers.get("x-jdcloud-nonce"),
            "token": request.headers.get("x-jdcloud-security-token"),
            "connection": request.connection, "fault": None, "status": None, "answer": None,
            "request_id": None, "duration_ms": None,
        }
        self._entries.append(entry)
        return entry

    def close(self, entry, status, answer):
        """The request is answered, or never will be: status None."""
        entry["status"] = status
        entry["answer"] = answer
        entry["duration_ms"] = round((time.time() - entry["time"]) * 1000, 3)
        self.statuses[f"{status} {answer}"] += 1

    def select(self, conditions, after=0):
        """Records whose members have the given values as text, of numbers above `after`."""
        return [entry for entry in self._entries
                if entry["number"] > after
                and all(str(entry.get(name)) == value for name, value in conditions.items())]

    def counts(self):
        """Counts by operation, by answer, by verdict on the signature, and of other events."""
        return {"requests": self._number, "operations": dict(self.operations),
                "answers": dict(self.statuses), "signatures": dict(self.signatures),
                "events": dict(self.events)}
