"""aushape's options for `steno audit convert`, with aushape's words for their values."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import click

from steno.audit.aushape.documents import MIN_EVENT_BYTES, AushapeFormat
from steno.errors import UsageError

FORMATS = ("aushape-json", "aushape-xml")
"""What `--format` calls them."""

_NAMES = ("events_per_doc", "fold", "indent", "max_event_size", "with_text", "with_norm")
_SIZE = re.compile(r"(\d{1,12})([km]?)\Z", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20}


def aushape_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add aushape's options, handed over as one `aushape`: a function of the language.

    `--lang` goes into the command's `format_name`: `aushape` becomes one of FORMATS.

    Called with `json` or `xml`, it returns the format, or raises UsageError for a wrong value;
    called with None, it raises UsageError where such an option was given at all.
    """

    @functools.wraps(command)
    def gather(**given: Any) -> object:  # noqa: ANN401  # the command's own options
        values = {name: given.pop(name) for name in _NAMES}
        given["format_name"] = name_format(given["format_name"], given.pop("lang"))
        return command(aushape=functools.partial(make_format, values), **given)

    for option in _OPTIONS:
        gather = option(gather)
    return gather


_OPTIONS = (
    click.option("--with-norm", is_flag=True, help="aushape: add who did what in plain words."),
    click.option("--with-text", is_flag=True, help="aushape: add the records as they were logged."),
    click.option(
        "--max-event-size",
        metavar="SIZE",
        help="aushape: cut larger events; N, Nk, Nm or unlimited [default: unlimited].",
    ),
    click.option("--indent", metavar="NUMBER", help="aushape: blanks for each level [default: 4]."),
    click.option(
        "--fold",
        metavar="LEVEL",
        help="aushape: one line from this level on; N, all or none [default: 4].",
    ),
    click.option(
        "--events-per-doc",
        metavar="NUMBER",
        help="aushape: events in each document; N, -N bytes, none or all [default: all].",
    ),
    click.option(
        "--lang", type=click.Choice(["json", "xml"]), help="aushape: the language [default: json]."
    ),
)


def name_format(format_name: str, lang: str | None) -> str:
    """Return the format that `--format` and `--lang` mean together.

    Raises:
        UsageError: `--lang` was given for another format.
    """
    if format_name == "aushape":
        return f"aushape-{lang or 'json'}"
    if lang is not None:
        raise UsageError("--lang is for --format aushape")
    return format_name


def make_format(values: dict[str, Any], language: str | None) -> AushapeFormat:
    """Return the format that the options' `values` say.

    Raises:
        UsageError: One of them makes no sense, or there is one and no `language`.
    """
    if language is None:
        for name, value in values.items():
            if value not in (None, False):
                option = name.replace("_", "-")
                raise UsageError(f"--{option} is for --format {' or '.join(FORMATS)}")
    return AushapeFormat(
        language="xml" if language == "xml" else "json",
        events_per_doc=_events_per_doc(values["events_per_doc"] or "all"),
        fold_level=_number("--fold", values["fold"] or "4", {"all": 0, "none": None}),
        indent=_number("--indent", values["indent"] or "4", {}) or 0,
        max_event_bytes=_size(values["max_event_size"] or "unlimited"),
        with_text=bool(values["with_text"]),
        with_norm=bool(values["with_norm"]),
    )


def _events_per_doc(text: str) -> int | None:
    is_in_bytes = text.startswith("-")
    words: dict[str, int | None] = {} if is_in_bytes else {"none": 0, "all": None}
    number = _number("--events-per-doc", text.removeprefix("-"), words)
    return -number if number is not None and is_in_bytes else number


def _number(option: str, text: str, words: dict[str, int | None]) -> int | None:
    if text.lower() in words:
        return words[text.lower()]
    if not re.fullmatch(r"[0-9]{1,9}", text):
        known = ", ".join(["a number", *words])
        raise UsageError(f"{option} {text}: expected {known}")
    return int(text)


def _size(text: str) -> int | None:
    if text.lower() == "unlimited":
        return None
    match = _SIZE.match(text)
    size_bytes = int(match[1]) * _FACTORS[match[2].lower()] if match else 0
    if size_bytes < MIN_EVENT_BYTES:
        reason = f"expected at least {MIN_EVENT_BYTES}, with k or m, or unlimited"
        raise UsageError(f"--max-event-size {text}: {reason}")
    return size_bytes
