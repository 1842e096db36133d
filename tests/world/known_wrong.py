"""Habits that wheelfs gets wrong today, each with what is wrong: the table only shrinks, since a habit that comes right fails."""

from __future__ import annotations

from typing import Final

_SIZE: Final = "a wrong size on the page is believed over the hash, and over what the server says"
_PROMISE: Final = "the gateway passes the failure of a promised .metadata on, though it can read the wheel"

KNOWN_WRONG: Final[dict[str, str]] = {
    "metadata_denied": _PROMISE,
    "metadata_fails": _PROMISE,
    "metadata_empty": _PROMISE,
    "metadata_login_page": _PROMISE,
    "metadata_other_version": _PROMISE,
    "metadata_hash_of_wheel": "a promise with the hash of another file is passed on, and fails",
}
