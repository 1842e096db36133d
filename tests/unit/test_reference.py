from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from wheelfs.config import load

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_is_what_the_code_says() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs-reference", "--check"], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_example_of_a_configuration_file_is_accepted(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(example)
    file = tmp_path / "wheelfs.toml"
    file.write_text(example)
    settings = load(environ={}, config_file=file)
    assert [index.name for index in settings.indexes] == ["lab", "index.example"]
    assert (settings.offline_show, settings.page_ttl_s, settings.allow_other) == ("all", 3600, True)
