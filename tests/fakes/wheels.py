"""Builders of wheels and sdists: small, valid, installable, and the same bytes every time."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MADE_AT = (2020, 2, 2, 0, 0, 0)

_BACKEND = """
import shutil
from pathlib import Path

HERE = Path(__file__).parent


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    wheel = next(HERE.glob("*.whl"))
    shutil.copy(wheel, wheel_directory)
    return wheel.name
"""


def wheel_filename(name: str, version: str, *, tag: str = "py3-none-any") -> str:
    """The name that `build_wheel` with the same arguments makes content for."""
    return f"{canonicalize_name(name).replace('-', '_')}-{version}-{tag}.whl"


def sdist_filename(name: str, version: str) -> str:
    """The name that `build_sdist` makes content for."""
    return f"{canonicalize_name(name).replace('-', '_')}-{version}.tar.gz"


def incompressible(size_bytes: int, seed: str = "") -> bytes:
    """Return bytes that no compressor shrinks, the same for the same seed; a longer result starts with the shorter one."""
    return hashlib.shake_256(seed.encode()).digest(size_bytes)


def metadata_text(
    name: str, version: str, *, requires: Sequence[str] = (), requires_python: str | None = None, metadata_extra: str = ""
) -> bytes:
    """Return the METADATA member (core metadata 2.1); ``metadata_extra`` holds whole header lines or a body."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines.extend(f"Requires-Dist: {requirement}" for requirement in requires)
    return ("\n".join(lines) + "\n" + metadata_extra).encode()


class _OneWay(io.RawIOBase):
    """A stream that cannot seek: zipfile then writes data descriptors, as streaming build tools do."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(cast("bytes", data))
        self.written += piece
        return len(piece)


def build_wheel(
    name: str,
    version: str,
    *,
    tag: str = "py3-none-any",
    files: Mapping[str, bytes] | None = None,
    requires: Sequence[str] = (),
    requires_python: str | None = None,
    big_bytes: int = 0,
    big_seed: str | None = None,
    metadata_extra: str = "",
    compression: Literal["deflated", "stored"] = "deflated",
    data_descriptors: bool = False,
    metadata_first: bool = False,
    made_at: tuple[int, int, int, int, int, int] = _MADE_AT,
) -> bytes:
    """Return an installable wheel.

    ``files`` defaults to one module with a ``__version__``.  ``big_bytes`` adds ``PACKAGE/big.bin`` of that many incompressible
    bytes, by default other ones in every version (``big_seed`` makes them equal).  METADATA comes near the end, as most build
    tools do, or first of all.  ``made_at`` is the time in every member's header: versions that share members but not headers.
    """
    package = canonicalize_name(name).replace("-", "_")
    members = dict(files) if files is not None else {f"{package}/__init__.py": f"__version__ = {version!r}\n".encode()}
    if big_bytes:
        members[f"{package}/big.bin"] = incompressible(big_bytes, f"{name}-{version}" if big_seed is None else big_seed)
    info = f"{package}-{version}.dist-info"
    python, _, _ = tag.split("-")
    tags = "".join(f"Tag: {one}-{tag.split('-', 1)[1]}\n" for one in python.split("."))
    described = {
        f"{info}/METADATA": metadata_text(
            name, version, requires=requires, requires_python=requires_python, metadata_extra=metadata_extra
        ),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n{tags}".encode(),
    }
    members = described | members if metadata_first else members | described
    record = "".join(f"{path},sha256={_record_digest(content)},{len(content)}\n" for path, content in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    method = zipfile.ZIP_DEFLATED if compression == "deflated" else zipfile.ZIP_STORED
    return _zip(members, method, made_at, data_descriptors=data_descriptors)


def _zip(members: Mapping[str, bytes], method: int, made_at: tuple[int, ...], *, data_descriptors: bool) -> bytes:
    one_way, seekable = _OneWay(), io.BytesIO()
    with zipfile.ZipFile(cast("BinaryIO", one_way) if data_descriptors else seekable, "w", method) as archive:
        for path, content in members.items():
            entry = zipfile.ZipInfo(path, cast("tuple[int, int, int, int, int, int]", made_at))
            entry.compress_type = method
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return bytes(one_way.written) if data_descriptors else seekable.getvalue()


def _record_digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def build_sdist(name: str, version: str, *, wheel: bytes | None = None) -> bytes:
    """Return a source distribution that pip and uv can build without network: its backend hands out a wheel it brings along."""
    package = canonicalize_name(name).replace("-", "_")
    root = f"{package}-{version}"
    members = {
        "PKG-INFO": metadata_text(name, version),
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": _BACKEND.encode(),
        wheel_filename(name, version): build_wheel(name, version) if wheel is None else wheel,
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in members.items():
            entry = tarfile.TarInfo(f"{root}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)
