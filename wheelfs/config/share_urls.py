"""Addresses of shares: which there are, and the one way of writing each."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

KINDS: Final = "http://, https://, file:///, s3://, gs:// or az://"

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


def check_objects_url(url: str) -> str:
    """Return the address of a directory or bucket as it is always written; raise ValueError, never quoting it, for any other.

    Two that mean the same place have to be the same text: breakers, and what a store remembers, go by it.
    """
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("the URL of the share contains white space or control characters (a space is written %20)")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("the URL of the share cannot be parsed") from None
    if parts.scheme not in ("file", "s3", "gs", "az"):
        raise ValueError(f"the URL of a share must begin with {KINDS}")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError(
            "the URL of a directory or bucket to share has neither ? nor # (in a path these are written %3F and %23)"
        )
    steps = unquote_to_bytes(parts.path).rstrip(b"/").split(b"/")
    if b".." in steps or b"." in steps or any(b"\0" in step for step in steps):
        raise ValueError("the path in the URL of the share has . or .. or a zero byte in it")
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise ValueError("a file:// URL of a share has no host: write file:///DIRECTORY, with three slashes")
        if not parts.path.startswith("/") or not any(steps):
            raise ValueError("the URL of the share names no directory: write file:///DIRECTORY, with an absolute path")
        return "file:///" + "/".join(quote(step) for step in steps if step)
    if "@" in parts.netloc:
        raise ValueError("the URL of a share in a bucket holds no credentials: they are taken from the environment")
    if not _BUCKET.match(parts.netloc):
        raise ValueError(f"the URL of the share names no bucket: write {parts.scheme}://BUCKET/PREFIX")
    return "/".join([f"{parts.scheme}://{parts.netloc}", *(quote(step) for step in steps if step)])
