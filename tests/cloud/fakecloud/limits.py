"""What a gateway counts: requests in a minute, and the nonces that were used."""


class MinuteLimiter:
    """Requests of each key in windows of a fixed length that begin with the first of them."""

    def __init__(self, settings):
        self._settings = settings
        self._windows = {}

    def reset(self):
        """Nothing was asked yet."""
        self._windows.clear()

    def count(self, access_key, now):
        """Counts a request; how many are left in its window, below zero if it was one too many."""
        end, used = self._windows.get(access_key, (0.0, 0))
        if now >= end:
            end, used = now + self._settings.limit_window_s, 0
        left = self._settings.limit_minute - used - 1
        if left >= 0:
            used += 1
        self._windows[access_key] = (end, used)
        return left


class NonceRecord:
    """Nonces seen in the last window or two: two sets, of which the older is dropped in turn."""

    def __init__(self, settings):
        self._settings = settings
        self.reset()

    def reset(self):
        """No nonce was used yet."""
        self._young, self._old, self._turn = set(), set(), 0.0

    def is_new(self, access_key, nonce, now):
        """Remembers a nonce; whether it was not used before."""
        window = self._settings.nonce_window_s
        if not window:
            return True
        if now >= self._turn:
            self._old = self._young if now < self._turn + window else set()
            self._young, self._turn = set(), now + window
        both = (access_key, nonce)
        if both in self._young or both in self._old:
            return False
        self._young.add(both)
        return True
