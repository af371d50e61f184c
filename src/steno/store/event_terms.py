"""Events in the full-text index: the terms that each is found by, and questions to the index.

A term is a letter for its kind and what it says, folded. The index only has to find all events
for which a query may hold; `event_matching` decides. An event with more terms than are kept is
marked, and found by every question of that sort.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from steno.audit.event import Event
from steno.store.addresses import Address, Network, parse_address, plain_address
from steno.store.event_matching import (
    account_names,
    addresses,
    base_name,
    command_words,
    paths,
    programs,
    sentences,
)
from steno.store.expressions import And, Expression, Field, Not, Or, Phrase, Word
from steno.store.folding import fold

TERM_LIMIT_CHARACTERS = 80
"""So much of a term is kept."""

WORDS_LIMIT = 2000
"""So many words of a command are kept."""

TERMS_LIMIT = 400
"""So many other terms of an event are kept."""

MORE_WORDS, MORE_TERMS = "zx", "z"
"""Mark an event that has more of them."""

_TEXT_WORD = re.compile(r"[^\W_]+")
"""Letters and digits in a row: where a word of a query matches, these are whole."""

_BREAKS = re.compile(r"[\x00-\x20\x7f]")

TOKENIZER = "ascii tokenchars '{}'".format(
    "".join(chr(code) for code in range(33, 127) if not chr(code).isalnum()).replace("'", "''")
)
"""FTS5's tokenizer for terms: all but blanks and controls belongs to a word."""


def terms_of(event: Event, session: int) -> str:
    """Return an event's terms, blanks between them; `session` is its session's key."""
    terms = _distinct(_terms(event, session), TERMS_LIMIT, MORE_TERMS)
    words = _distinct(_word_terms(event), WORDS_LIMIT, MORE_WORDS)
    return " ".join([*terms, *words])


def _distinct(terms: Iterable[str], limit: int, more: str) -> dict[str, None]:
    found: dict[str, None] = {}
    for term in terms:
        found[_clean(term)] = None
        if len(found) >= limit:
            found[more] = None
            break
    return found


def _terms(event: Event, session: int) -> Iterable[str]:
    yield f"k{session}"
    yield f"h{event.host.casefold()}"
    yield f"s{event.audit_session}"
    yield f"r{event.result}"
    if event.error:
        yield f"r{event.error.casefold()}"
    yield from _action_terms(event.action.casefold())
    who = event.who
    yield from ("u" + name for name in account_names(who.user, who.uid))
    yield from ("l" + name for name in account_names(who.login_user, who.login_uid))
    yield from _address_terms(event)
    for said in sentences(event):
        yield from ("w" + word for word in _text_words(said))
    for path in paths(event):
        yield f"f{path}"
        yield f"b{base_name(path)}"


def _word_terms(event: Event) -> Iterable[str]:
    for word in [*programs(event), *command_words(event)]:
        yield f"x{word}"
        if "/" in word:
            yield f"x{base_name(word)}"


def _text_words(text: str) -> list[str]:
    return _TEXT_WORD.findall(fold(text))


def _action_terms(action: str) -> Iterable[str]:
    while action:
        yield f"a{action}"
        action = action.rpartition(" ")[0]


def _address_terms(event: Event) -> Iterable[str]:
    for thing in addresses(event):
        yield f"n{thing.name.casefold()}"
        if thing.port is not None:
            yield f"p{thing.port}"
        if thing.address and (address := plain_address(thing.address)) is not None:
            yield f"d{_digits(address)}:{'' if thing.port is None else thing.port}"


def _clean(term: str) -> str:
    """Return a term as the index has it: one word, not too long."""
    return _BREAKS.sub("\xa0", term[:TERM_LIMIT_CHARACTERS])


def _digits(address: Address) -> str:
    """Return an address as hexadecimal digits, so that a network is a common beginning."""
    packed = address.packed
    return (packed if len(packed) == 16 else b"\0" * 10 + b"\xff\xff" + packed).hex()


def question(expression: Expression) -> str | None:
    """Return what finds all events for which an expression may hold; None: all may."""
    match expression:
        case And(parts):
            found = [part for part in map(question, parts) if part is not None]
            return " AND ".join(f"({part})" for part in found) if found else None
        case Or(parts):
            asked = list(map(question, parts))
            if any(part is None for part in asked):
                return None
            return " OR ".join(f"({part})" for part in asked)
        case Not():
            return None
        case Field(name, value):
            alternatives = _alternatives(name, value.casefold())
            if alternatives is None:
                return None
            more = MORE_WORDS if name == "ran" else MORE_TERMS
            return " OR ".join([*alternatives, _quoted(more)])
        case Word(text) | Phrase(text):
            words = [_quoted(_clean("w" + word)) for word in _text_words(text)]
            return f"({' AND '.join(words)}) OR {_quoted(MORE_TERMS)}" if words else None
        case _:
            return None


def session_question(session: int) -> str:
    """Return what finds the events of one session."""
    return _quoted(f"k{session}")


def _alternatives(name: str, value: str) -> list[str] | None:
    """Return questions of which any is to hold; None: nothing can be asked."""
    match name:
        case "ran":
            # That the words stand beside each other is looked at later.
            words = [asked for word in value.split() if (asked := _asked("x", word)) is not None]
            return [" AND ".join(words)] if words else [_quoted("aran")]
        case "file":
            if "/" not in value:
                return _listed(_asked("b", value))
            return _listed(_asked("f", value + "*" if value.endswith("/") else value))
        case "addr":
            return _address_alternatives(value)
        case "action":
            return _listed(_asked("a", value))
        case "result":
            return _listed(_asked("r", value))
        case "user" | "login" | "host":
            return _listed(_asked({"user": "u", "login": "l", "host": "h"}[name], value))
        case "session":
            return [_quoted(f"s{int(value)}")]
        case _:
            return None


def _listed(asked: str | None) -> list[str] | None:
    return None if asked is None else [f"({asked})"]


def _asked(kind: str, pattern: str) -> str | None:
    """Return the question for a folded pattern: what is before its first star must be there."""
    beginning, star, _ = pattern.partition("*")
    if not beginning:
        return None
    is_cut = len(kind + beginning) >= TERM_LIMIT_CHARACTERS
    return _quoted(_clean(kind + beginning)) + ("*" if star and not is_cut else "")


def _address_alternatives(value: str) -> list[str] | None:
    wanted = parse_address(value)
    if wanted.name is not None:
        return _listed(_asked("n", wanted.name))
    port = [] if wanted.port is None else [_quoted(f"p{wanted.port}")]
    if wanted.network is None:
        return port
    networks = _beginnings(wanted.network)
    if networks is None:
        return port or None
    found = [f"{_quoted('d' + beginning)}*" for beginning in networks]
    return [f"({beginning} AND {port[0]})" for beginning in found] if port else found


def _beginnings(network: Network) -> list[str] | None:
    """Return what the digits of all addresses in a network begin with; None: too many."""
    digits = _digits(network.network_address)
    bits = network.prefixlen + (96 if network.version == 4 else 0)
    whole, rest = divmod(bits, 4)
    if whole < 1:
        return None
    if not rest:
        return [digits[:whole]]
    first = int(digits[whole], 16)
    return [digits[:whole] + f"{first + step:x}" for step in range(1 << (4 - rest))]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
