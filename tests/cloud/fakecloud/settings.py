"""The switches of the fake cloud: what there is, what each may be, and what it is now."""

from fakecloud.rows import ROWS


class BadValue(ValueError):
    """A switch that there is not, or a value that it cannot have."""


class Switch:
    """One switch: its default, what it may be, and a line that explains it."""

    def __init__(self, default, about, choices=None, least=0, rows=False):
        self.default = default
        self.about = about
        self.choices = choices
        self.least = least
        self.rows = rows

    def check(self, name, value):
        """The value as it is kept."""
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise BadValue(f"{name}: true or false, not {value!r}")
        elif isinstance(self.default, (int, float)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise BadValue(f"{name}: a number, not {value!r}")
            if self.least is not None and value < self.least:
                raise BadValue(f"{name}: at least {self.least}, not {value!r}")
        elif not (value in (self.choices or ()) or self.rows and value in ROWS):
            what = ", ".join(self.choices or ()) + (" or a row of errors" if self.rows else "")
            raise BadValue(f"{name}: {what}, not {value!r}")
        return value

    def describe(self):
        """What the switch may be, for people."""
        if self.choices or self.rows:
            return " | ".join((self.choices or ()) + (("ROW",) if self.rows else ()))
        if isinstance(self.default, bool):
            return "true | false"
        return "number"


SWITCHES = {
    # Time.
    "latency_ms": Switch(0, "time from a request to its answer; half of it passes before the "
                            "request takes effect"),
    "latency_jitter_ms": Switch(0, "up to so much more, by chance"),
    "connect_latency_ms": Switch(0, "a new connection is not read for so long"),
    "lag_ms": Switch(0, "members, launchPermission and the lists of recipients show a change "
                        "only after this"),
    "lag_mode": Switch("steady", "flapping: each answer is the lagging or the present one, by "
                       "chance", ("steady", "flapping")),
    "pending_ms": Switch(1000, "a created or copied image is pending for so long"),
    "conflict_ms": Switch(0, "after a share or cancel, others of that image meet task-conflict "
                             "for so long"),
    # Rules of sharing.
    "share_limit": Switch(20, "accounts that an image may be shared with"),
    "recipient_limit": Switch(0, "shared images that an account may have in a region; 0: any "
                                 "number"),
    "image_limit": Switch(0, "private images that an account may have in a region; 0: any number"),
    "double_share": Switch("quiet", "sharing what is shared: quiet, strict (already-shared) or a "
                           "row", ("quiet", "strict"), rows=True),
    "double_cancel": Switch("quiet", "cancelling what is not shared: quiet, strict (not-shared) "
                            "or a row", ("quiet", "strict"), rows=True),
    "several_pins": Switch("atomic", "partial: the good pins of a request take effect, though "
                           "another is refused", ("atomic", "partial")),
    # Form of answers.
    "order": Switch("stable", "order of images and members in lists; random: another each time",
                    ("stable", "reversed", "random")),
    "vocabulary": Switch("new", "imageSource in answers: private, public ... or self, jcloud ...",
                         ("new", "old")),
    "empty_lists": Switch("array", "how an empty list is answered", ("array", "null", "absent")),
    "login_names": Switch(True, "members name the login names too"),
    "chunked": Switch(True, "answers come with Transfer-Encoding: chunked, as the service's do; "
                            "else with Content-Length"),
    # The gateway.
    "limit_minute": Switch(1000, "requests a minute and key, as the headers of answers say",
                           least=1),
    "limit_enforced": Switch(False, "requests beyond limit_minute are refused"),
    "limit_window_s": Switch(60, "length of the minute of limit_minute", least=0.05),
    "limit_row": Switch("rate-limit-ak", "how they are refused", rows=True),
    "skew_window_s": Switch(0, "x-jdcloud-date may be off by so much; 0: by any"),
    "clock_offset_s": Switch(0, "the cloud's clock is ahead by so much", least=None),
    "nonce_window_s": Switch(60, "a nonce is refused again for at least so long; 0: never"),
    "scope_checked": Switch(True, "day, region and service in Credential must be those of the "
                                  "request"),
    # Connections.
    "connections": Switch("open", "reset: new ones are reset unread; hang: accepted, nothing is "
                          "read or written; blackhole: not even accepted; refuse: no listener",
                          ("open", "reset", "hang", "blackhole", "refuse")),
    "idle_close_ms": Switch(0, "a connection idle for so long is closed; 0: never"),
    "requests_per_connection": Switch(0, "a connection is closed after so many; 0: never"),
    "certificate": Switch("good", "what HTTPS shows to new connections",
                          ("good", "expired", "wrong-name", "unknown-ca")),
    # Chance.
    "seed": Switch(1, "chance begins anew from here", least=None),
}


class Settings:
    """The present values, as attributes."""

    def __init__(self):
        self.reset()

    def reset(self):
        """Everything as at the start."""
        for name, switch in SWITCHES.items():
            setattr(self, name, switch.default)

    def update(self, values):
        """All of the values, or none if one is bad."""
        checked = {}
        for name, value in values.items():
            if name not in SWITCHES:
                raise BadValue(f"there is no switch {name}")
            checked[name] = SWITCHES[name].check(name, value)
        for name, value in checked.items():
            setattr(self, name, value)

    def as_dict(self):
        """Name and value of each switch."""
        return {name: getattr(self, name) for name in SWITCHES}
