"""What tlog's programs can be told: every key of the configuration files and every option.

Source: the manual pages tlog-rec(8), tlog-rec-session(8), tlog-play(8), tlog-rec.conf(5),
tlog-rec-session.conf(5) and tlog-play.conf(5) of tlog 12.1, and what `--help` and
`--configuration` of its programs write.
"""

from __future__ import annotations

import enum

import msgspec


class Origin(enum.IntEnum):
    """Where a value comes from; later ones override earlier ones."""

    FILE = 1
    ENVIRONMENT = 2
    NAME = 3
    OPTIONS = 4


class Kind(enum.Enum):
    """What a value is."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    STRINGS = "strings"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a program can be told.

    Attributes:
        key: Its place in the configuration: `latency`, or `log.input`.
        kind: What its value is; of STRINGS every use of the option adds one.
        help: What it is for; "" where there is no option.
        group: The heading that the usage message has it under.
        short: The one-letter option, if any.
        value: What the usage message calls the option's value; "" when it takes none.
        default: The value when nobody says otherwise; None for no value.
        minimum: The least number that is allowed.
        choices: The words that are allowed; () for any.
        first: The first origin that may say it.
        last: The last origin that may say it.
    """

    key: str
    kind: Kind
    help: str = ""
    group: str = "General"
    short: str = ""
    value: str = ""
    default: bool | int | float | str | None = None
    minimum: int | None = None
    choices: tuple[str, ...] = ()
    first: Origin = Origin.FILE
    last: Origin = Origin.OPTIONS

    @property
    def option(self) -> str:
        """The long option's name, without its dashes."""
        return self.key.replace(".", "-")

    @property
    def is_option(self) -> bool:
        """Whether the command line may say it."""
        return self.last is Origin.OPTIONS


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One of tlog's programs.

    Attributes:
        name: What it is called.
        usage: The lines that say how it is called; `{name}` stands for the name.
        purpose: What it does.
        parameters: What it can be told.
        file: Its configuration file's name, in /etc/tlog.
        variables: The start of the environment variables that override the file; None for none.
    """

    name: str
    usage: tuple[str, ...]
    purpose: str
    parameters: tuple[Parameter, ...]
    file: str
    variables: str | None = None


_FACILITIES = (
    *("auth", "authpriv", "cron", "daemon", "ftp", "kern"),
    *(f"local{number}" for number in range(8)),
    *("lpr", "mail", "news", "syslog", "user", "uucp"),
)
_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_WRITERS = ("journal", "syslog", "file")


def _flag(key: str, short: str, help: str, first: Origin = Origin.OPTIONS) -> Parameter:
    return Parameter(key=key, kind=Kind.BOOLEAN, short=short, help=help, first=first)


_ABOUT = (
    _flag("help", "h", "Output a command-line usage message and exit"),
    _flag("version", "v", "Output version information and exit"),
    _flag("configuration", "", "Output program configuration in JSON and exit"),
)


def _switch(key: str, help: str, group: str, last: Origin, *, default: bool) -> Parameter:
    kind = Kind.BOOLEAN
    return Parameter(
        key=key, kind=kind, help=help, group=group, value="[=BOOL]", default=default, last=last
    )


def _word(
    key: str, help: str, group: str, last: Origin, choices: tuple[str, ...], default: str
) -> Parameter:
    return Parameter(
        key=key,
        kind=Kind.STRING,
        help=help,
        group=group,
        value="=STRING",
        choices=choices,
        default=default,
        last=last,
    )


def _count(
    key: str, help: str, group: str, last: Origin, value: str, default: int, minimum: int
) -> Parameter:
    return Parameter(
        key=key,
        kind=Kind.INTEGER,
        help=help,
        group=group,
        value=value,
        default=default,
        minimum=minimum,
        last=last,
    )


def _recording(last: Origin, writer: str) -> tuple[Parameter, ...]:
    """Return what both recorders can be told, up to the origin `last`."""
    log, limit = "Logged data set", "Logging limit"
    return (
        _count("latency", "Cache captured data SECONDS seconds before logging", "General", last,
               "=SECONDS", 10, 1),
        _count("payload", "Limit encoded data to BYTES bytes", "General", last,
               "=BYTES", 2048, 32),
        Parameter(
            key="writer", kind=Kind.STRING, short="w", value="=STRING", choices=_WRITERS,
            default=writer, last=last,
            help=f"Use STRING log writer (journal/syslog/file, default {writer})",
        ),
        _switch("log.input", "Enable/disable logging user input", log, last, default=False),
        _switch("log.output", "Enable/disable logging program output", log, last, default=True),
        _switch("log.window", "Enable/disable logging terminal window size changes", log, last,
                default=True),
        _count("limit.rate", "Set logging rate limit to NUMBER of message bytes/sec", limit, last,
               "=NUMBER", 16384, 0),
        _count("limit.burst", "Set logging burst limit to NUMBER of message bytes", limit, last,
               "=NUMBER", 32768, 0),
        _word("limit.action", "Perform STRING action above limits (pass/delay/drop)", limit, last,
              ("pass", "delay", "drop"), "pass"),
        Parameter(
            key="file.path", kind=Kind.STRING, help="Log to FILE file", group="File writer",
            short="o", value="=FILE", last=last,
        ),
        _word("syslog.facility", "Log with STRING syslog facility", "Syslog writer", last,
              _FACILITIES, "authpriv"),
        _word("syslog.priority", "Log with STRING syslog priority", "Syslog writer", last,
              _PRIORITIES, "info"),
        _word("journal.priority", "Log with STRING syslog-style priority", "Journal writer", last,
              _PRIORITIES, "info"),
        _switch("journal.augment", "Enable/disable adding extra journal fields",
                "Journal writer", last, default=True),
    )  # fmt: skip


REC = Program(
    name="tlog-rec",
    usage=("{name} [OPTION...] [CMD_FILE [CMD_ARG...]]",),
    purpose="Record terminal I/O of a program or a user shell.",
    file="tlog-rec.conf",
    variables="TLOG_REC",
    parameters=(
        *_ABOUT,
        *_recording(Origin.OPTIONS, "file"),
        Parameter(
            key="semaphore",
            kind=Kind.STRING,
            value="=FILE",
            help='Write "READY" to FILE when recording is setup',
            first=Origin.OPTIONS,
        ),
    ),
)

SESSION = Program(
    name="tlog-rec-session",
    usage=(
        "{name} [OPTION...] [CMD_FILE [CMD_ARG...]]",
        "{name} -c [OPTION...] CMD_STRING [CMD_NAME [CMD_ARG...]]",
    ),
    purpose="Start a shell and log terminal I/O.",
    file="tlog-rec-session.conf",
    parameters=(
        *_ABOUT,
        Parameter(key="shell", kind=Kind.STRING, default="/bin/bash", last=Origin.NAME),
        _flag("login", "l", "Make the shell a login shell", Origin.NAME),
        _flag("interactive", "i", "Make the shell an interactive shell", Origin.NAME),
        _flag("command", "c", "Execute shell commands"),
        Parameter(
            key="notice",
            kind=Kind.STRING,
            default="\nATTENTION! Your session is being recorded!\n\n",
            last=Origin.ENVIRONMENT,
        ),
        *_recording(Origin.ENVIRONMENT, "journal"),
    ),
)

_JOURNAL = "Systemd journal reader"
_ELASTIC = "Elasticsearch reader"

PLAY = Program(
    name="tlog-play",
    usage=("{name} [OPTION...]",),
    purpose="Play back a terminal I/O recording done by tlog-rec.",
    file="tlog-play.conf",
    parameters=(
        *_ABOUT,
        Parameter(
            key="speed", kind=Kind.NUMBER, short="s", value="=NUMBER", minimum=0,
            help="Set playback speed multiplier to NUMBER", first=Origin.OPTIONS,
        ),
        _flag("follow", "f", "Wait for and play back new messages"),
        Parameter(
            key="goto", kind=Kind.STRING, short="g", value="=STRING", first=Origin.OPTIONS,
            help="Fast-forward to STRING time (start/end/HH:MM:SS.sss)",
        ),
        _flag("paused", "p", "Start playback paused"),
        Parameter(
            key="reader", kind=Kind.STRING, short="r", value="=STRING", default="file",
            choices=("file", "journal", "es"),
            help="Use STRING log reader (file/journal/es, default file)",
        ),
        Parameter(
            key="persist", kind=Kind.BOOLEAN, default=False,
            help="Ignore quit key and signals from keyboard",
        ),
        Parameter(
            key="lax", kind=Kind.BOOLEAN, default=False,
            help="Ignore missing (dropped) log messages",
        ),
        Parameter(
            key="file.path", kind=Kind.STRING, short="i", value="=FILE", group="File reader",
            help="Read log from FILE file",
        ),
        Parameter(
            key="file.match", kind=Kind.STRING, short="m", value="=STRING", group="File reader",
            help="Playback explicit recording id specified in STRING",
        ),
        Parameter(
            key="es.baseurl", kind=Kind.STRING, value="=STRING", group=_ELASTIC,
            help="Elasticsearch URL without query or fragment parts",
        ),
        Parameter(
            key="es.query", kind=Kind.STRING, value="=STRING", group=_ELASTIC,
            help="Elasticsearch query",
        ),
        Parameter(
            key="es.verbose", kind=Kind.BOOLEAN, default=False, group=_ELASTIC,
            help="Enable verbose output on Elasticsearch HTTP client",
        ),
        Parameter(
            key="journal.since", kind=Kind.INTEGER, short="S", value="=SECONDS", minimum=0,
            group=_JOURNAL, help="Start searching journal at SECONDS since epoch",
            first=Origin.OPTIONS,
        ),
        Parameter(
            key="journal.until", kind=Kind.INTEGER, short="U", value="=SECONDS", minimum=0,
            group=_JOURNAL, help="Stop searching journal at SECONDS since epoch",
            first=Origin.OPTIONS,
        ),
        Parameter(
            key="journal.match", kind=Kind.STRINGS, short="M", value="=STRING", group=_JOURNAL,
            help="Add STRING to journal match symbol list", first=Origin.OPTIONS,
        ),
        Parameter(
            key="journal.namespace", kind=Kind.STRING, short="N", value="=STRING",
            group=_JOURNAL, help="Search for the records in STRING namespace only",
            first=Origin.OPTIONS,
        ),
    ),
)  # fmt: skip

PROGRAMS = {program.name: program for program in (REC, SESSION, PLAY)}
