"""Options of a template: their values from text, checked against what the template declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tvm_embbert.errors import UsageError
from tvm_embbert.project.api import Options, ProjectOption

Value = str | int | bool | None

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def of_verb(options: Iterable[ProjectOption], verb: str) -> list[ProjectOption]:
    """Return the options that a verb takes."""
    return [o for o in options if verb in (o.required or ()) + (o.optional or ())]


def checked(options: Iterable[ProjectOption], verb: str, given: Options) -> dict[str, Value]:
    """Return the values of all options of a verb: those given, else their defaults.

    Raises
    ------
    UsageError
        An option is unknown or missing, or its value is of another type or none of its choices.
    """
    taken = {o.name: o for o in of_verb(options, verb)}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in taken:
            raise _unknown(name, taken)
    values: dict[str, Value] = {}
    for name, option in taken.items():
        if name not in given and option.default is None and verb in (option.required or ()):
            raise UsageError(f"The option {name!r} is missing: {option.help}", where=verb)
        values[name] = _value(option, given[name]) if name in given else option.default
    return values


def parsed(pairs: Iterable[str]) -> dict[str, str]:
    """Return options that a command line gives as ``name=value``."""
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(
                f"{pair!r} gives no option a value.",
                where="--option",
                supported="name=value, such as --option toolchain=clang",
            )
        values[name] = value
    return values


def _unknown(name: str, taken: Mapping[str, ProjectOption]) -> UsageError:
    known = ", ".join(sorted(taken)) or "none"
    return UsageError(f"The template has no option {name!r}.", where="--option", supported=known)


def _value(option: ProjectOption, given: Any) -> Value:
    value = _typed(option, given)
    if option.choices is not None and str(value) not in option.choices:
        raise _wrong(option, given, ", ".join(option.choices))
    return value


def _typed(option: ProjectOption, given: Any) -> Value:
    if option.type == "bool":
        if str(given).lower() not in _BOOLEANS:
            raise _wrong(option, given, "true or false")
        return _BOOLEANS[str(given).lower()]
    if option.type == "int":
        try:
            return int(str(given), 0)
        except ValueError as error:
            raise _wrong(option, given, "a whole number") from error
    return str(given)


def _wrong(option: ProjectOption, given: Any, supported: str) -> UsageError:
    return UsageError(
        f"The option {option.name!r} cannot be {given!r}.",
        where="--option",
        supported=supported,
        hint=option.help,
    )
