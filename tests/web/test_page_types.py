"""The pages' types of what the API answers are the server's own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, get_origin

import msgspec
import pytest
from msgspec import inspect

from steno.model import Verification
from steno.store.accounts import Token, User
from steno.store.alerts import Alert
from steno.store.event_places import FoundEvent
from steno.store.events import Login, LoginFailures
from steno.store.hosts import HostCode
from steno.store.orders import Order
from steno.store.protocol import Page, Summary
from steno.web import alerts, finding, hosts, lanes, orders, people, recordings, signing
from steno.web.table import ENDPOINTS
from steno.web.trail_shapes import EventAnswer, EventPage, RecordedCommands

FRONTEND = Path(__file__).parents[2] / "frontend"
TYPES = FRONTEND / "src" / "pages" / "api" / "types.ts"

ANSWERS: dict[str, Any] = {
    "Session": signing.Session,
    "Page<Recording>": Page[Summary],
    "RecordingDetail": recordings.RecordingDetail,
    "LinesPage": recordings.TextPage,
    "Notes": recordings.Notes,
    "Verification": Verification,
    "Commands": RecordedCommands,
    "Page<RecordedEvent>": EventPage,
    "EventDetail": EventAnswer,
    "Lanes": lanes.Lanes,
    "Page<Hit>": Page[finding.RecordingHit],
    "Page<FoundEvent>": Page[FoundEvent],
    "FoundEvent": FoundEvent,
    "Page<Login>": Page[Login],
    "Page<LoginFailures>": Page[LoginFailures],
    "AlertPage": alerts.AlertPage,
    "{ items: Alert[] }": alerts.RecordingAlerts,
    "Alert": Alert,
    "{ items: Host[] }": hosts.Hosts,
    "HostDetail": hosts.HostDetail,
    "{ items: HostWarning[] }": hosts.HostWarnings,
    "Orders": orders.OrderList,
    "Order": Order,
    "EnrolmentCode": HostCode,
    "{ items: Account[] }": people.Users,
    "Account": User,
    "{ items: Token[] }": people.Tokens,
    "Token": Token,
    "MadeToken": people.MadeToken,
    "SignInLink": people.SignInLink,
    "{ items: Viewing[] }": people.ViewingsPage,
}
"""What the pages call an answer, and what the server says that it is."""

CHECKS = """
type Unknown<P, S> = 0 extends 1 & S ? never : P extends readonly (infer A)[]
  ? S extends readonly (infer B)[] ? Unknown<A, B> : never
  : P extends object
    ? string extends keyof P ? never : {
        [K in keyof P]-?: K extends keyof S ? Unknown<NonNullable<P[K]>, NonNullable<S[K]>> : K;
      }[keyof P]
    : never;
"""


PLAIN: dict[type[inspect.Type], str] = {
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.StrType: "string",
    inspect.BoolType: "boolean",
    inspect.NoneType: "null",
    inspect.AnyType: "any",
    inspect.RawType: "any",
}


class Writer:
    """Writes Python's types as TypeScript's, as msgspec encodes them."""

    def __init__(self) -> None:
        self.written: dict[str, tuple[str, str]] = {}

    def words(self, kind: inspect.Type) -> str:
        """Return what a type is called."""
        match kind:
            case inspect.StructType():
                return self._interface(kind)
            case inspect.UnionType(types=types):
                return " | ".join(self.words(one) for one in types)
            case inspect.LiteralType(values=values):
                return " | ".join(msgspec.json.encode(one).decode() for one in values)
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
                return f"({self.words(item)})[]"
            case inspect.TupleType(item_types=items):
                return f"[{', '.join(self.words(one) for one in items)}]"
            case inspect.DictType(key_type=key, value_type=value):
                return f"Record<{self.words(key)}, {self.words(value)}>"
        return PLAIN[type(kind)]

    def _member(self, field: inspect.Field, *, omits: bool) -> str:
        """Return one member; where defaults are left out, null never comes."""
        words = self.words(field.type)
        if not omits or field.required:
            return f"  {field.encode_name}: {words};\n"
        return f"  {field.encode_name}?: {words.removesuffix(' | null')};\n"

    def _interface(self, kind: inspect.StructType) -> str:
        key = repr(kind)
        if key not in self.written:
            cls = get_origin(kind.cls) or kind.cls
            name = f"S{len(self.written)}_{cls.__name__}"
            self.written[key] = name, ""
            omits = cls.__struct_config__.omit_defaults
            members = [self._member(one, omits=omits) for one in kind.fields]
            self.written[key] = name, f"interface {name} {{\n{''.join(members)}}}\n"
        return self.written[key][0]


def write_checks() -> str:
    """Return TypeScript that compiles only if the pages' types are the server's."""
    writer = Writer()
    checks = []
    for number, (pages, server) in enumerate(ANSWERS.items()):
        words = writer.words(inspect.type_info(server))
        checks.append(
            f"type P{number} = {pages};\n"
            f"export const answer{number} = (it: {words}): P{number} => it;\n"
            f"export const nothing{number}: [Unknown<P{number}, {words}>] extends [never]"
            f" ? 0 : Unknown<P{number}, {words}> = 0;\n"
        )
    names = sorted({name for pages in ANSWERS for name in pages.replace("<", " ").split(" ")})
    imported = [name.strip("<>[]{}:") for name in names if name[:1].isupper()]
    return "\n".join(
        [
            f"import type {{ {', '.join(dict.fromkeys(imported))} }} from {str(TYPES)!r};",
            CHECKS,
            *(text for _, text in writer.written.values()),
            *checks,
        ]
    )


@pytest.fixture
def compile_types(tmp_path: Path) -> Any:  # noqa: ANN401  # a function
    """Compile a module; return what the compiler complains of."""
    if not (FRONTEND / "node_modules" / ".bin" / "tsc").is_file() or not shutil.which("node"):
        pytest.skip("needs `npm ci` in frontend/ (./test does it)")

    def run(source: str) -> str:
        module = tmp_path / "answers.ts"
        module.write_text(source)
        settings = {
            "extends": str(FRONTEND / "tsconfig.json"),
            "compilerOptions": {"noEmit": True, "types": [], "noUnusedLocals": False},
            "include": [str(module)],
        }
        project = tmp_path / "tsconfig.json"
        project.write_bytes(msgspec.json.encode(settings))
        command = [str(FRONTEND / "node_modules" / ".bin" / "tsc"), "-p", str(project)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    return run


def test_the_pages_types_are_the_servers(compile_types: Any) -> None:  # noqa: ANN401
    """Whatever the server answers fits the pages' types, and these name no member it has not."""
    assert compile_types(write_checks()) == ""


def test_a_difference_is_noticed(compile_types: Any) -> None:  # noqa: ANN401
    """A member of another type, one more in the pages, or a null is a complaint each."""
    good = write_checks()
    assert "  host: string;\n" in good
    assert "TS2322" in compile_types(good.replace("  host: string;\n", "  host: number;\n"))
    assert "TS2322" in compile_types(good.replace("  host: string;\n", "  host: string | null;\n"))
    assert '"commands_count"' in compile_types(good.replace("  commands_count: number;\n", ""))


def test_every_answer_that_pages_read_is_compared() -> None:
    """An endpoint that answers JSON is in the list, or is known to be used by others only."""
    others = {"Activity", "LineHit", "SegmentContent", "SegmentList", "Trails"}
    compared = {str(answer) for answer in ANSWERS.values()}
    for endpoint in ENDPOINTS:
        for answer in endpoint.answers:
            if answer.type is None:
                continue
            name = getattr(answer.type, "__name__", "")
            inner = [one.__name__ for one in getattr(answer.type, "__args__", ())]
            assert str(answer.type) in compared or others & {name, *inner}, answer.type
