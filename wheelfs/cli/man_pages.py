"""Manual pages (man(7)), made from the same commands and options as their help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from wheelfs.cli.command import all_commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PROGRAM: Final = "wheelfs"

EXIT_CODES: Final = {0: "Done.", 1: "Part of it was done, another part was not.", 130: "Interrupted."}
"""Of every command; the others are those of the classes in `wheelfs.errors`."""


def man_pages(group: click.Group, version: str, exit_codes: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each page: that of the program, and one for each command."""
    yield f"{PROGRAM}.1", _page_of_program(group, version, exit_codes)
    for name, command in all_commands(group).items():
        yield f"{PROGRAM}-{name.replace(' ', '-')}.1", _page_of_command(group, name, command, version)


def _page_of_program(group: click.Group, version: str, exit_codes: Mapping[int, str]) -> str:
    lines = [*_head(PROGRAM, version), ".SH NAME", f"{_escaped(PROGRAM)} \\- {_escaped(_first(group.help))}"]
    lines += [".SH SYNOPSIS", f".B {_escaped(PROGRAM)}", _escaped("[OPTIONS] COMMAND [ARGS]...")]
    lines += [".SH DESCRIPTION", *_paragraphs(group.help), ".SH COMMANDS"]
    for name, command in all_commands(group).items():
        lines += [
            ".TP",
            f".BR {_escaped(PROGRAM)}\\-{_escaped(name.replace(' ', '-'))} (1)",
            _text(command.get_short_help_str(limit=200)),
        ]
    lines += [".SH OPTIONS", _text("Before or after the name of any command."), *_options(group)]
    lines += [".SH EXIT STATUS"]
    for code, meaning in sorted({**EXIT_CODES, **exit_codes}.items()):
        lines += [".TP", f".B {code}", _text(meaning)]
    return "\n".join(lines) + "\n"


def _page_of_command(group: click.Group, name: str, command: click.Command, version: str) -> str:
    full = f"{PROGRAM}-{name.replace(' ', '-')}"
    common = {parameter.name for parameter in group.params}
    context = click.Context(command, info_name=name, parent=click.Context(group, info_name=PROGRAM))
    arguments = " ".join(command.collect_usage_pieces(context))
    lines = [
        *_head(full, version),
        ".SH NAME",
        f"{_escaped(full)} \\- {_text(command.get_short_help_str(limit=200).rstrip('.'))}",
    ]
    lines += [".SH SYNOPSIS", f".B {_escaped(f'{PROGRAM} {name}')}", _text(arguments)]
    lines += [".SH DESCRIPTION", *_paragraphs(command.help)]
    options = list(_options(command, without=common))
    if options:
        lines += [".SH OPTIONS", *options]
    examples = getattr(command, "examples", ())
    if examples:
        lines += [".SH EXAMPLES", ".EX", *(_text(example) for example in examples), ".EE"]
    lines += [".SH SEE ALSO", f".BR {_escaped(PROGRAM)} (1)", _text("has the options of every command and the exit status.")]
    return "\n".join(lines) + "\n"


def _head(name: str, version: str) -> list[str]:
    return [f'.TH "{_escaped(name.upper())}" 1 "" "wheelfs {_escaped(version)}" "wheelfs"', ".nh"]


def _options(command: click.Command, *, without: Iterable[str | None] = ()) -> Iterator[str]:
    context = click.Context(command)
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden and option.name not in without:
            names = ", ".join(f"\\fB{_escaped(name)}\\fR" for name in option.opts)
            value = "" if option.is_flag or option.count else f" \\fI{_escaped(option.make_metavar(context))}\\fR"
            repeat = " Repeatable." if option.multiple else ""
            yield from (".TP", f"{names}{value}", _text(f"{option.help or ''}{repeat}"))


def _paragraphs(text: str | None) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", (text or "").strip())):
        if number:
            yield ".PP"
        yield _text(" ".join(paragraph.split()))


def _first(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0].partition(". ")[0].rstrip(".")


def _text(text: str) -> str:
    """Return a line of text; one that begins as a request would is kept from being one."""
    escaped = _escaped(text)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha").replace("~", "\\(ti").replace("`", "\\(ga")
