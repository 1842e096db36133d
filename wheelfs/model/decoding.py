"""What decoding a record can raise: each decoder turns all of it into an error of its own."""

from __future__ import annotations

from typing import Final

import msgspec

DECODE_ERRORS: Final = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""msgspec's own error, and what it lets pass: text that is no UTF-8 (UnicodeDecodeError), numbers without end, deep nesting."""
