"""Habits that wheelfs gets wrong today, each with what is wrong: the table only shrinks, since a habit that comes right fails."""

from __future__ import annotations

from typing import Final

_SIZE: Final = "a wrong size on the page is believed over the hash, and over what the server says"
_PROMISE: Final = "the gateway passes the failure of a promised .metadata on, though it can read the wheel"
_CODING: Final = "the HTTP client decodes, reads one member only, and sees no early end"
_NAME: Final = "the text of a link names the file, not its address"

KNOWN_WRONG: Final[dict[str, str]] = {
    "project_appears": "that there is no such project is believed for a minute, ttl-s = 0 or not",
    "sdist_as_gzip": "the file is decoded, so that it is not what its hash says",
    "sdist_as_gzip_no_hash": "the unpacked tar is stored as .tar.gz",
    "page_gzip_members": _CODING,
    "page_gzip_members_json": _CODING,
    "page_gzip_cut": _CODING,
    "page_x_gzip": _CODING,
    "page_encoding_utf8": "an unknown content coding makes the page an error",
    "html_text_other_file": _NAME,
    "html_text_percent": _NAME,
    "local_version_escaped_text": _NAME,
    "html_utf16": "a page in UTF-16 is read as UTF-8",
    "html_status_203": "a page of status 203 is an error",
    "html_requires_python_long": "a file whose requires-python is long vanishes, and an older version is taken",
    "html_version_nonsense": "an invalid repository version makes the page an error",
    "json_no_filename": "an entry without a filename vanishes, though its address names the file",
    "json_yanked_empty": "an empty reason counts as yanked, which PEP 691 denies",
    "json_size_zero": _SIZE,
    "json_size_small": _SIZE,
    "json_size_large": _SIZE,
    "json_size_wrong_no_hash": _SIZE,
    "metadata_denied": _PROMISE,
    "metadata_fails": _PROMISE,
    "metadata_empty": _PROMISE,
    "metadata_login_page": _PROMISE,
    "metadata_other_version": _PROMISE,
    "metadata_hash_of_wheel": "a promise with the hash of another file is passed on, and fails",
    "metadata_digest_short": "a file whose promised metadata has a malformed digest vanishes",
    "metadata_digest_short_json": "a file whose promised metadata has a malformed digest vanishes",
    "wheel_trailing_byte": "metadata is promised of a wheel whose end cannot be read, and fails",
    "wheel_trailing_zeros": "metadata is promised of a wheel whose end cannot be read, and fails",
    "file_two_links_first_dead": "of two links of one name only the first is known",
    "file_redirect_chain": "nine redirects in a row are too many; pip follows 30, uv 10",
    "words_links_left_out": "links that are left out are counted and named nowhere",
    "words_variants": "the JSON of variant wheels is left out",
}
