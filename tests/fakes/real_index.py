"""The index that pip is configured with on this machine; as a program, it says whether that index answers (exit code 0 or 1)."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request

_PROBE_S = 10.0


def configured_index() -> str:
    """Return pip's index URL: from the environment, its files, or its own default, which only pip knows."""
    if url := os.environ.get("PIP_INDEX_URL"):
        return url
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    if asked.returncode == 0 and asked.stdout.strip():
        return asked.stdout.strip()
    from pip._internal.models.index import PyPI

    return PyPI.simple_url


def machine_settings() -> dict[str, str]:
    """Return what this machine says about reaching that index: whom to trust, and through which proxy."""
    names = (
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "PIP_CERT",
        "REQUESTS_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    )
    return {name: os.environ[name] for word in names for name in (word, word.lower()) if os.environ.get(name)}


def answers(url: str) -> bool:
    """Whether the index serves the page of a small project now."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/wheel/", timeout=_PROBE_S) as reply:
            return bool(reply.status == 200)
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    sys.exit(0 if answers(configured_index()) else 1)
