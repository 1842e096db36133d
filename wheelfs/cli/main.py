"""The ``wheelfs`` command: finds the subcommand, and turns whatever ends it into an exit code.

Nothing heavy is imported here or by a module of a command at its top, and of these modules only that of the command which is run.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

import wheelfs
from wheelfs.cli.command import common_options
from wheelfs.cli.commands import COMMANDS, COMPLETE_VARIABLE
from wheelfs.cli.failures import ReaderGone, error_of, is_interrupt, is_reader_gone
from wheelfs.cli.first_steps import POINTERS, next_steps, running_mount
from wheelfs.cli.interrupts import INTERRUPTED
from wheelfs.cli.mount_options import is_mount_call, translate
from wheelfs.cli.output import Output
from wheelfs.cli.session import Session, session_of
from wheelfs.errors import UsageError, WheelfsError

if TYPE_CHECKING:
    from collections.abc import Sequence

PIPE_CLOSED: Final = 141
"""128 + SIGPIPE: the reader of our result has closed it."""

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """List in the order of a first acquaintance, not of the alphabet."""
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named; raise `UsageError` with a pointer for one that other programs have."""
        if args and args[0] not in self.commands and (pointer := POINTERS.get(args[0])):
            raise UsageError(f"run wheelfs {args[0]}", "there is no such command", pointer)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Group,
    commands=COMMANDS,
    params=common_options(),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every option can also be set in a TOML file and as WHEELFS_*: see wheelfs config.",
)
@click.version_option(wheelfs.__version__, message="wheelfs %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """A read-only mount of Python wheels: fetched lazily from any index, kept, and installable offline by pip and uv."""
    if context.invoked_subcommand is None:
        error = UsageError("run wheelfs", "no command is given", "wheelfs --help lists them")
        session = session_of(context)
        if session.json:
            raise error
        settings = session.settings()
        for line in next_steps(running_mount(settings), settings.store):
            session.output.talk(line)
        # On stderr, and not 0: a script whose command is an empty variable has done nothing.
        context.exit(error.exit_code)


def main(arguments: Sequence[str] | None = None, *, program: str | None = None) -> int:
    """Run ``wheelfs ARGUMENTS`` and return its exit code; arguments in mount(8)'s form are understood."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    program = sys.argv[0] if program is None else program
    output = Output(json=_wants_json(given))
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from wheelfs.cli.commands.completion import answer_shell

        return answer_shell(cli, instruction)
    try:
        code = _run(given, program)
        output.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BrokenPipeError, ReaderGone):
        # What is still buffered would be complained about when the interpreter flushes at its end.
        _point_stdout_nowhere()
        return PIPE_CLOSED
    except WheelfsError as error:
        return _report(output, error)
    except OSError as error:  # from `flush`
        return _report(output, error_of(error))


def _report(output: Output, error: WheelfsError) -> int:
    try:
        output.error(error)
        output.flush()
    except ReaderGone:
        _point_stdout_nowhere()
    except OSError:  # the disk is full that stdout is on
        _point_stdout_nowhere()
        if output.json:
            Output(json=False).error(error)
    return error.exit_code


def _run(given: list[str], program: str) -> int:
    """Run, with every end that is no `WheelfsError`, an interrupt or a closed pipe turned into one."""
    try:
        if is_mount_call(program, given, {*cli.commands, *POINTERS}):
            call = translate(program, given)
            if call.pretend:
                return 0
            given = [call.arguments[0], "--quiet", *call.arguments[1:]]
            # mount(8) passes no PATH on, and fusermount3 has to be found.
            os.environ.setdefault("PATH", SYSTEM_PATH)
        session = Session(json=_wants_json(given), verbosity=_verbosity())
        _log_to_stderr(given, session)
        # Not cli.main(): that has exit codes of its own for interrupts and closed pipes.
        with cli.make_context("wheelfs", given, obj=session) as context:
            result: Any = cli.invoke(context)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "wheelfs"
        raise UsageError(f"read the command line of {path}", error.format_message(), f"see {path} --help") from None
    except click.ClickException as error:
        raise UsageError("run wheelfs", error.format_message()) from None
    except (WheelfsError, BrokenPipeError, ReaderGone, KeyboardInterrupt):
        raise
    except (Exception, BaseExceptionGroup) as error:
        if is_interrupt(error):
            raise KeyboardInterrupt from None
        if is_reader_gone(error):
            raise ReaderGone from None
        raise error_of(error) from error


def _log_to_stderr(given: list[str], session: Session) -> None:
    """Set up logging for commands; a mount sets up its own when it knows its configuration.

    With -v or a level it is a log, with times and the parts of the program; else it is said as everything else is.
    """
    from wheelfs.telemetry import level_for, set_up_logging

    verbosity = session.verbosity + sum(
        word.count("v") if word.startswith("-v") and set(word[1:]) == {"v"} else word == "--verbose" for word in _options(given)
    )
    set_up_logging(level_for("warning", verbosity), is_talk=not verbosity)


def _options(given: list[str]) -> list[str]:
    return given[: given.index("--")] if "--" in given else given


def _wants_json(given: list[str]) -> bool:
    """Decide without click: a command line that click cannot parse must be reported in JSON, too."""
    return "--json" in _options(given) or os.environ.get("WHEELFS_JSON", "").lower() in ("1", "true", "yes", "on")


def _verbosity() -> int:
    text = os.environ.get("WHEELFS_VERBOSE", "")
    return min(int(text), 9) if text.isdecimal() else 0


def _point_stdout_nowhere() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
