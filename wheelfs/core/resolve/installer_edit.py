"""Adding the mount's index to pip's or uv's configuration file, and taking it out again; pure functions of the file's text.

The lines stand between two marks. A change is made only where the file then says what it said before and our key, so whatever
else a file holds, it is kept byte for byte or the change is refused.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from wheelfs.core.resolve import toml
from wheelfs.core.resolve.installer_config import pip_key

if TYPE_CHECKING:
    from collections.abc import Iterator

Installer = Literal["pip", "uv"]

_KEY: Final = "index-url"
_SECTIONS: Final[dict[Installer, str]] = {"pip": "global", "uv": "pip"}
_BEGIN: Final = "# wheelfs config --install"
_END: Final = "# wheelfs: end"
_JOINED: Final = "; the line before it had no end"
_NEW_FILE: Final = "; the file is new"
_NO: Final = ("", "0", "false", "no", "off")


class CannotEditError(ValueError):
    """The file says something that the change would contradict, or it cannot be changed with the rest of it kept.

    ``advice`` is what to do about it.
    """

    def __init__(self, happened: str, advice: str) -> None:
        super().__init__(happened)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class _Block:
    """Our lines in a text, marks included; ``new_line`` ends each."""

    before: str
    marks: str
    header: str
    key: str
    after: str
    new_line: str

    def removed(self, *, with_header: bool) -> str:
        before = self.before.removesuffix(self.new_line) if _JOINED in self.marks else self.before
        return before + self.after if with_header else self.before + self.header + self.after


def with_index(installer: Installer, text: str | None, url: str) -> str:
    """Return the file's text with the index in it, in the place of one that was added before; None: there is no file.

    Raises `CannotEditError`.
    """
    before = text if text is None else (without_index(installer, text) if _BEGIN in text else text)
    said = _said(installer, before or "")
    for place in _contradictions(installer, said):
        what = (
            f"{place} is there already" if place.endswith(_KEY) else f"{place} is there, which the mount's index does not go with"
        )
        raise CannotEditError(what, "tell wheelfs of that index (--index NAME=URL), and remove the line there")
    section = _SECTIONS[installer]
    value = f'"{url}"' if installer == "uv" else url
    expected = {**said, section: {**said.get(section, {}), _KEY: url}}
    for changed in _additions(installer, before, f"{_KEY} = {value}"):
        if _is_said(installer, changed, expected):
            return changed
    raise CannotEditError(f"[{section}] cannot be found in it safely", f"add the line yourself: wheelfs config {installer}")


def without_index(installer: Installer, text: str) -> str | None:
    """Return the text without our lines; None where the file was made for them and has nothing else.

    Raises `CannotEditError` where there are none, or others are among them.
    """
    block = _block(text)
    if block is None:
        raise CannotEditError("no lines of wheelfs config --install are in it", "what is there is yours to remove")
    said = _said(installer, text)
    section = _SECTIONS[installer]
    expected = {**said, section: {key: value for key, value in said.get(section, {}).items() if key != _KEY}}
    # Where keys were added below our header, the header is theirs now.
    for changed in (block.removed(with_header=True), block.removed(with_header=False)):
        if _is_said(installer, changed, expected):
            return None if not changed and _NEW_FILE in block.marks else changed
    raise CannotEditError("its lines were changed since", f"remove [{section}] {_KEY} yourself")


def _said(installer: Installer, text: str) -> dict[str, dict[str, Any]]:
    """Return what a file says, by section (uv: tables and single keys), without those that are empty."""
    if installer == "uv":
        try:
            return _without_empty(toml.loads(text))
        except ValueError:
            raise CannotEditError("it is no valid TOML", "mend it first") from None
    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(text)
    except configparser.Error:
        raise CannotEditError("it is no valid pip configuration", "mend it first: pip config debug") from None
    return _without_empty({name: {pip_key(key): value for key, value in parser.items(name)} for name in parser.sections()})


def _without_empty(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value != {}}


def _is_said(installer: Installer, text: str, expected: dict[str, Any]) -> bool:
    try:
        return _said(installer, text) == _without_empty(expected)
    except CannotEditError:
        return False


def _contradictions(installer: Installer, said: dict[str, Any]) -> Iterator[str]:
    if installer == "pip":
        for section, values in said.items():
            if _KEY in values:
                yield f"[{section}] {_KEY}"
            if values.get("no-index", "").strip().lower() not in _NO:
                yield f"[{section}] no-index"
        return
    pip = said.get("pip", {})
    for where, values in (("", said), ("[pip] ", pip if isinstance(pip, dict) else {})):
        if _KEY in values:
            yield where + _KEY
        if values.get("no-index") is True:
            yield f"{where}no-index"
        indexes = values.get("index")
        if isinstance(indexes, list) and any(isinstance(one, dict) and one.get("default") is True for one in indexes):
            yield f"{where}[[index]] with default"


def _additions(installer: Installer, text: str | None, line: str) -> Iterator[str]:
    """Yield texts with the line in its section: after the section's header, where there seems to be one, else at the end."""
    before = text or ""
    new_line = "\r\n" if "\r\n" in before else "\n"
    header = f"[{_SECTIONS[installer]}]"
    for match in re.finditer(rf"^[ \t]*{re.escape(header)}[ \t]*(?:[#;].*)?\r?(?:\n|\Z)", before, re.MULTILINE):
        yield _joined(installer, before[: match.end()], [line], before[match.end() :], new_line)
    yield _joined(installer, before, [header, line], "", new_line, is_new=text is None)


def _joined(installer: Installer, before: str, lines: list[str], after: str, new_line: str, *, is_new: bool = False) -> str:
    marks = f"{_BEGIN} {installer}: --undo removes these lines" + (_NEW_FILE if is_new else "")
    if before and not before.endswith("\n"):
        marks, before = marks + _JOINED, before + new_line
    # Of pip's file, a line that is indented more than the one before goes on with its value.
    following = re.match(r"(?:[ \t]*(?:[#;].*)?\r?\n)*([ \t]+)\S", after)
    indent = following[1] if following and len(lines) == 1 else ""
    return before + "".join(f"{indent}{one}{new_line}" for one in (marks, *lines, _END)) + after


def _block(text: str) -> _Block | None:
    """Return our lines, where they are as they were written, but for their address."""
    pattern = (
        rf"(?P<marks>[ \t]*{re.escape(_BEGIN)} .*?)(?P<new_line>\r?\n)(?P<header>(?:\[\w+\]\r?\n)?)"
        rf"(?P<key>[ \t]*{_KEY} = .*\r?\n)[ \t]*{re.escape(_END)}\r?\n"
    )
    match = re.search(pattern, text)
    if match is None:
        return None
    before, after = text[: match.start()], text[match.end() :]
    return _Block(before, match["marks"], match["header"], match["key"], after, match["new_line"])
