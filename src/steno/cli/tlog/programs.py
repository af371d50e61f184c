"""tlog's programs by name: what each does from its first word to its exit status."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from steno import __version__
from steno.cli.messages import flush_standard_streams, open_standard_streams, say
from steno.cli.tlog.configuration import DIRECTORY, Configuration, load
from steno.cli.tlog.naming import read_name, read_shell_variable
from steno.cli.tlog.options import Value, write_usage
from steno.cli.tlog.schema import PLAY, PROGRAMS, REC, SESSION, Program
from steno.errors import (
    ProgramNotExecutableError,
    ProgramNotFoundError,
    StenoError,
    UsageError,
)

_NOT_RUN = 127
"""As shells say it, when the program to record cannot be run."""
_COMMAND_NAME = "/proc/self/comm"


def main(name: str, words: Sequence[str], *, called: str, directory: Path = DIRECTORY) -> None:
    """Be the program `name` and exit.

    Args:
        name: One of PROGRAMS.
        words: Its arguments.
        called: What it was called by, its argv[0].
        directory: Where its configuration file is.
    """
    open_standard_streams()
    _take_name(name)
    status = _run(PROGRAMS[name], words, called, directory)
    flush_standard_streams()
    sys.exit(status)


def _run(program: Program, words: Sequence[str], called: str, directory: Path) -> int:
    """Run the program; make every failure one clear line and a status as tlog's."""
    try:
        return _obey(program, words, called, directory)
    except UsageError as error:
        return _fail(program, f"{error} (see {program.name} --help)")
    except (ProgramNotFoundError, ProgramNotExecutableError) as error:
        _fail(program, str(error))
        return _NOT_RUN
    except StenoError as error:
        return _fail(program, str(error))
    except BrokenPipeError:
        # The reader (head, less) has gone; there is nobody left to tell.
        return 141
    except OSError as error:
        reason = error.strerror or str(error)
        place = "" if error.filename is None else f"{error.filename}: "
        return _fail(program, f"{place}{reason}")
    except UnicodeEncodeError as error:
        # Arguments that are no UTF-8 arrive as surrogates, which no text may hold.
        return _fail(program, f"{error.object[:40]}: not valid UTF-8")
    except KeyboardInterrupt:
        return 130


def _fail(program: Program, text: str) -> int:
    say(text, program=program.name)
    return 1


def _obey(program: Program, words: Sequence[str], called: str, directory: Path) -> int:
    named: dict[str, Value] = {}
    if program is SESSION:
        named = read_shell_variable(os.environ) | read_name(called)
    configuration = load(program, words, environ=os.environ, directory=directory, named=named)
    if configuration.flag("help"):
        return _write(write_usage(program).encode())
    if configuration.flag("version"):
        return _write(f"{program.name} (Steno) {__version__}, in place of tlog 12\n".encode())
    if program is PLAY and configuration.arguments:
        raise UsageError(f"{configuration.arguments[0]}: no arguments are taken")
    if configuration.flag("configuration"):
        return _write(configuration.render())
    return _play_or_record(configuration, called)


def _play_or_record(configuration: Configuration, called: str) -> int:
    # Each loads only what it needs: a login waits for it.
    if configuration.program is REC:
        from steno.cli.tlog import rec

        return rec.run(configuration)
    if configuration.program is SESSION:
        from steno.cli.tlog import rec_session

        return rec_session.run(configuration, called)
    from steno.cli.tlog import play

    return play.run(configuration)


def _write(data: bytes) -> int:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
    return 0


def _take_name(name: str) -> None:
    """Be called `name` among the processes (its first 15 letters).

    The journal notes it as _COMM, and Cockpit's page on recordings looks for tlog's names there.
    """
    with contextlib.suppress(OSError), open(_COMMAND_NAME, "w", encoding="ascii") as file:
        file.write(name)
