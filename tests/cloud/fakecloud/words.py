"""Words of a command line that stand for names and values."""

from fakecloud.settings import BadValue


def values_of(words, texts=()):
    """NAME=VALUE words as names and values; those of the names in `texts` stay as they are."""
    values = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise BadValue(f"NAME=VALUE, not {word}")
        values[name] = text if name in texts else plain_value(text)
    return values


def plain_value(text):
    """What a word of a command line stands for: a truth value, a number, or itself."""
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    return text
