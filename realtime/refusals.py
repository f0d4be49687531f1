"""What pydantic finds wrong with a value, in plain words of one line: what is wanted, and what was given.

Must not know which fields there are, or where a value came from.
"""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_SHOWN_CHARS = 40
_SHOWN_BITS = 64

_WANTED = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "enum": "must be {expected}",
    "finite_number": "must be a finite number",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {field_type_length}",
    "too_short": "must have at least {field_type_length}",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list"),
    **dict.fromkeys(("model_type", "dict_type"), "must be an object"),
    "string_type": "must be a text",
    "string_unicode": "must be a text of whole characters",
    "path_type": "must be a path",
    "missing": "is missing",
    "extra_forbidden": "is unknown",
}
"""By pydantic's types of errors."""


def in_words(details: ErrorDetails, *, is_secret: bool = False) -> str:
    """One of `ValidationError.errors()`, without the field's name: `must be at most 1, not 2`.

    Args:
        is_secret: whether what was given must not be shown.
    """
    wanted = _WANTED.get(details["type"])
    if wanted is None:  # a validator's own words
        return details["msg"].removeprefix("Value error, ")
    context = dict(details.get("ctx", {}))
    given = "" if is_secret or details["type"] in ("missing", "extra_forbidden") else f", not {_given(details)}"
    if (length := context.get("max_length", context.get("min_length"))) is not None:
        context["field_type_length"] = f"{length} entries" if length != 1 else "1 entry"
    numbers = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    return f"{_place(details['loc'][1:])}{wanted.format(**numbers)}{given}"


def first_in_words(error: ValidationError) -> str:
    """The first of an error's findings, see `in_words`."""
    return in_words(error.errors(include_url=False)[0])


def _place(inner: tuple[int | str, ...]) -> str:
    """Where in a field's value it is: `weight of entry 1 `; empty for the value as a whole."""
    entry = next((f"entry {part + 1} " for part in inner if isinstance(part, int)), "")
    is_named = bool(entry) and isinstance(inner[-1], str)
    return f"{str(inner[-1])[:_SHOWN_CHARS]!r} of {entry}" if is_named else entry


def _given(details: ErrorDetails) -> str:
    value = details["input"]
    if details["type"] == "string_too_long":
        return str(len(value))
    if details["type"] == "string_unicode":  # of a pair that stands for one character in UTF-16, and in JSON
        half = next(char for char in value if "\ud800" <= char <= "\udfff")
        return f"half of one ({half!r})"
    if details["type"] in ("too_long", "too_short"):
        return str(details.get("ctx", {})["actual_length"])
    return _shown(value)


def _shown(value: object) -> str:
    """A value in words of JSON, cut short; its kind where it has others in it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= _SHOWN_CHARS else f"{value[: _SHOWN_CHARS - 1]}…")
        case int() if value.bit_length() > _SHOWN_BITS:
            return f"a number of more than {_SHOWN_BITS} bits"
        case int() | float():
            return str(value)
        case list() | tuple():
            return "a list"
        case _:
            return "an object"
