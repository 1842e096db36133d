"""Every parser of what strangers write: what it is given, what it may raise, and good input to begin mutations with."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.markers import default_environment
from packaging.tags import sys_tags

from wheelfs.config.indexes import IndexesKind
from wheelfs.core.http import ranges
from wheelfs.core.http.coding import BadCoding, Decoder, is_packed_on_the_way
from wheelfs.core.platforms.targets import this_machine
from wheelfs.core.resolve import dependencies, installer_config, lock_files, requirements_txt
from wheelfs.core.simple.api import parse_page
from wheelfs.core.simple.negotiation import choose_form
from wheelfs.core.wheel import cutting, identity, metadata, zip_layout
from wheelfs.errors import WheelfsError
from wheelfs.model.condemned import Condemned, decode_condemned, encode_condemned
from wheelfs.model.framing import ShareFormatError, framed
from wheelfs.model.manifest import Manifest
from wheelfs.model.names import ProjectName, project_and_version
from wheelfs.model.recipe import Recipe, RecipeError
from wheelfs.model.share_catalog import Batch, decode_record, decode_root, encode_record, encode_root
from wheelfs.service.selection import parse_word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEMO = ProjectName("demo")
URL = "https://index.example/simple/demo/"
TARGET = this_machine(sys_tags(), {key: str(value) for key, value in default_environment().items()})
_HERE = Path("/")


class Parser(NamedTuple):
    """A parser of bytes; ``expected`` are the errors it may raise; ``limit_bytes`` is the longest input it is ever given."""

    name: str
    parse: Callable[[bytes], object]
    expected: tuple[type[Exception], ...]
    seeds: Sequence[bytes]
    tokens: Sequence[bytes] = ()
    limit_bytes: int = 1 << 26


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _html() -> bytes:
    links = "".join(
        f'<a href="../../f/demo-1.{number}-py3-none-any.whl#sha256={"ab" * 32}" data-requires-python="&gt;=3.8" data-yanked'
        f' data-core-metadata="sha256={"cd" * 32}" data-size="7" data-upload-time="2024-05-06T07:08:09Z">x</a><br>\n'
        for number in range(4)
    )
    # Written plainly, as most indexes do.
    links += "".join(f'<a href="/f/demo-2.{number}.tar.gz" data-requires-python="&gt;=3.8">x</a><br />\n' for number in range(4))
    head = '<meta name="pypi:repository-version" content="1.3"><base href="/x/"><title>Links for demo</title>'
    return f"<!DOCTYPE html><html><head>{head}</head><body><!-- c --><script>x</script>{links}</body></html>".encode()


def _json() -> bytes:
    file = {
        "filename": "demo-1.0-py3-none-any.whl",
        "url": "../demo-1.0-py3-none-any.whl",
        "hashes": {"sha256": "ab" * 32, "md5": "cd" * 16},
        "requires-python": ">=3.8",
        "size": 7,
        "upload-time": "2024-05-06T07:08:09.123Z",
        "yanked": "why",
        "core-metadata": {"sha256": "ab" * 32},
        "provenance": "https://index.example/p",
    }
    page = {"meta": {"api-version": "1.4", "tracks": [URL]}, "name": "demo", "versions": ["1.0", "2.0"], "files": [file, file]}
    return json.dumps(page | {"project-status": {"status": "active", "reason": "r"}, "alternate-locations": [URL]}).encode()


def _wheel() -> bytes:
    with io.BytesIO() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("demo/__init__.py", "x" * 3_000)
            archive.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
            archive.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        return packed.getvalue()


def _sdist() -> bytes:
    with io.BytesIO() as packed:
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo("demo-1.0/PKG-INFO"), io.BytesIO(b""))
        return packed.getvalue()


def _reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


def _lock(data: bytes) -> object:
    return lock_files.read_lock("read the lock", _text(data), TARGET)


def _decode(codings: Sequence[str], data: bytes) -> int:
    decoder = Decoder(codings)
    total = 0
    for piece in decoder.feed(data):
        total += len(piece)
        if total > 1 << 24:  # what reads bodies has a limit, too
            return total
    decoder.finish()
    return total


def _judge(data: bytes) -> object:
    status, *lines = data.decode("latin-1").split("\n")
    headers = {key.strip().lower(): value for key, _, value in (line.partition(":") for line in lines)}
    number = int(status) if status.isascii() and status.isdigit() and len(status) < 4 else 200
    return [ranges.judge(wanted, validator='"x"', status=number, headers=headers) for wanted in _WANTED]


_WANTED = (ranges.Whole(), ranges.From(5), ranges.Range(5, 9), ranges.Suffix(9))
_METADATA = (
    b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: a (>=1) ; python_version >= '3'\nRequires-Dist: b[x]==2\n\n"
)
_LOCK = b"""lock-version = "1.0"
created-by = "x"
requires-python = ">=3.8"
[[packages]]
name = "demo"
version = "1.0"
marker = "python_version >= '3'"
[[packages.wheels]]
name = "demo-1.0-py3-none-any.whl"
url = "https://index.example/demo-1.0-py3-none-any.whl"
hashes = {sha256 = "abab"}
"""
_UV_LOCK = b"""version = 1
requires-python = ">=3.8"
[[package]]
name = "app"
version = "1.0"
source = { virtual = "." }
dependencies = [{ name = "demo", marker = "python_version >= '3'" }]
[[package]]
name = "demo"
version = "1.0"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "https://index.example/demo-1.0-py3-none-any.whl", hash = "sha256:abab", size = 7 }]
"""
_MARKUP = (
    *(b"<a href=", b"</a>", b"<!--", b"-->", b"<div>", b"</p>", b"<script>", b"&#", b"&amp", b'"', b"'", b"=", b"<", b">"),
    *(b'<a x="">t</a>', b'<a x="" '),
)
_OBJECTS = (b"[", b"]", b"{", b"}", b",", b'"', b":", b"\\u", b"\\ud800", b"9" * 40, b"1e999", b"null", b"-", b"[[[[[[[[")
_ZIP = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"\xff\xff\xff\xff", b"\xff\xff")
_PACKED = (
    b"\xdd\xff\xff\xff\xff",
    b"\xa4\xff\xfe\xfd\xfc",
    b"\x91" * 50,
    b"\xcf" + b"\xff" * 8,
    b"\xc4\x20" + bytes(32),
    b"\xc0",
)
_WORDS = (
    b"==",
    b">=",
    b"~=",
    b",",
    b";",
    b"(",
    b")",
    b"[",
    b"]",
    b"and",
    b"or",
    b"'",
    b"9" * 60,
    b"\n",
    b"#",
    b" @ ",
    b"--hash=",
)
_LINES = (
    *_WORDS,
    *(b" ", b"/", b".", b'"', b"\\", b"-e ", b" -C ", b"${A}", b"--pre ", b"-r ", b" ;", b"extra == 'x' or "),
)
_TABLES = (
    *_OBJECTS,
    *(b"a.", b"'", b"'" * 3, b'"' * 3, b"#", b"\n", b"a=1\n", b"[[package]]\n", b"[a]\n", b" = ", b"\\", b"{a="),
    *(b"extra == 'x' or ", b'{ name = "demo" }, ', b'"python_version < 1", '),
    b'[[package]]\nname = "demo"\nversion = "1.0"\nsource = { registry = "x" }\n',
)


def _framed(name: str, decode: Callable[[bytes], object], seed: bytes) -> Parser:
    """Return the parser of a body inside a frame whose checksum is right."""
    return Parser(name, lambda body: decode(framed(seed[:4], body)), (ShareFormatError,), (seed[4:-16],), _PACKED)


PARSERS: tuple[Parser, ...] = (
    Parser("page as HTML", lambda data: parse_page(data, "text/html", URL, DEMO), (WheelfsError,), (_html(),), _MARKUP),
    Parser("page as JSON", lambda data: parse_page(data, "application/json", URL, DEMO), (WheelfsError,), (_json(),), _OBJECTS),
    Parser(
        "page of any type",
        lambda data: parse_page(data[20:], _text(data[:20]), URL, DEMO),
        (WheelfsError,),
        (b"text/html;charset=x " + _html(), b"text/html; charset= " + _html().decode().encode("utf-16")),
        (b"charset=", b"utf-16", b"latin-1", b"<meta charset="),
    ),
    Parser("gzip", lambda data: _decode(("gzip",), data), (BadCoding,), (gzip.compress(b"x" * 99) * 3,)),
    Parser("deflate", lambda data: _decode(("deflate",), data), (BadCoding,), (gzip.compress(b"x" * 99)[10:-8],)),
    Parser(
        "packed on the way",
        lambda data: is_packed_on_the_way("demo-1.0.tar.gz", data, ("gzip", "deflate")),
        (BadCoding,),
        (_sdist(), gzip.compress(_sdist())),
    ),
    Parser(
        "answers to ranges",
        _judge,
        (),
        (b'206\ncontent-range: bytes 5-8/99\ncontent-length: 4\netag: "x"\n', b"416\ncontent-range: bytes */9\nretry-after: 5\n"),
        (b"bytes ", b"/", b"-", b"*", b"9" * 30),
        limit_bytes=1 << 16,
    ),
    Parser("accept", lambda data: choose_form(_text(data)), (), (b"text/html;q=0.2, */*;q=0.1",), (b";q=", b","), 1 << 16),
    Parser(
        "METADATA in a wheel",
        lambda data: metadata.read_from(_reader(data), len(data), 1_024, DEMO),
        (zip_layout.NotAZip,),
        (_wheel(), _wheel() + b"\n"),
        _ZIP,
    ),
    Parser(
        "name of a wheel", lambda data: identity.filename_of(_reader(data), len(data)), (zip_layout.NotAZip,), (_wheel(),), _ZIP
    ),
    Parser("cuts of a file", lambda data: cutting.cut_file(_reader(data), len(data)), (), (_wheel(), _sdist()), _ZIP),
    Parser(
        "filenames",
        lambda data: project_and_version(_text(data)),
        (),
        (b"demo-1.0-py3-none-any-cu130.whl", b"demo-1.0-variants.json", b"demo-1!1.0rc1+x.tar.gz"),
        (b"-", b".", b"+", b"!", b".whl", b"9" * 300),
        1 << 16,
    ),
    Parser("words", lambda data: parse_word("show", _text(data)), (WheelfsError,), (b"demo>=1,<2", b"demo-*"), _WORDS, 1 << 16),
    Parser(
        "requirements",
        lambda data: list(requirements_txt.parse(_text(data), TARGET.environment)),
        (),
        (
            b"demo==1.0 ; python_version>='3' \\\n  --hash=sha256:abab\n-r x.txt\n--pre\na @ https://x.example/a.whl\n",
            b"-e ./a[x] -C a=b\n./b.whl[y] ; python_version>='3'\n",
        ),
        _LINES,
        1 << 20,
    ),
    Parser(
        "dependencies",
        lambda data: dependencies.requirements(data, TARGET.environment, ("x",)),
        (),
        (_METADATA,),
        _WORDS,
        1 << 20,
    ),
    Parser("pylock.toml", _lock, (WheelfsError,), (_LOCK,), _TABLES, 1 << 20),
    Parser("uv.lock", _lock, (WheelfsError,), (_UV_LOCK,), _TABLES, 1 << 20),
    Parser(
        "pip.conf",
        lambda data: installer_config.from_pip([("x", _text(data))]),
        (ValueError,),
        (b"[global]\nindex-url = https://index.example/simple\nextra-index-url =\n  https://b.example\n",),
        (b"[", b"]", b"%(x)s", b"=", b":"),
        1 << 20,
    ),
    Parser(
        "uv.toml",
        lambda data: installer_config.from_uv([("x", _text(data))]),
        (ValueError,),
        (b'[[index]]\nurl = "https://index.example/simple"\ndefault = true\n[pip]\nindex-url = "x"\n',),
        _TABLES,
        1 << 20,
    ),
    Parser(
        "indexes",
        lambda data: IndexesKind().parse(_text(data), _HERE),
        (ValueError,),
        (
            b"lab=https://index.example/simple b=https://c.example",
            b'[{"name": "x", "url": "https://x.example", "absent": [403]}]',
        ),
        _OBJECTS,
        1 << 16,
    ),
    _framed("record of a share", decode_record, encode_record(Batch((), ()))),
    _framed("root of a share", decode_root, encode_root(())),
    _framed("condemned of a share", decode_condemned, encode_condemned(Condemned(0, 0, ("x",)))),
    Parser("manifest", lambda body: Manifest.decode(framed(b"WFM1", body)), (ShareFormatError,), (bytes(64),)),
    Parser("recipe", Recipe.decode, (RecipeError,), (bytes(64),)),
)
