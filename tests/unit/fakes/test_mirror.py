"""``scripts/test --quick FILE`` runs the tests that belong to a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.mirror import belonging_to, main
from tests.fakes.processes import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (
        "tests/unit/core/test_times.py",
        "tests/unit/store/gc/test_collect.py",
        "tests/property/test_times.py",
        "tests/unit/fakes/test_index.py",
        "tests/unit/test_documents.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wheelfs/core/times.py", {"tests/unit/core/test_times.py", "tests/property/test_times.py"}),
        ("wheelfs/store/gc/limits.py", {"tests/unit/store/gc"}),
        ("wheelfs/store/engine/writer.py", {"tests/unit/store"}),
        ("tests/mount/test_lazy.py", {"tests/mount/test_lazy.py"}),
        ("tests/fakes/index.py", {"tests/unit/fakes/test_index.py"}),
        ("tests/fakes/faults.py", {"tests/unit/fakes"}),
        ("docs/guide/clients.md", {"tests/unit/test_documents.py"}),
        ("README.md", {"tests/unit/test_documents.py"}),
    ],
)
def test_of_a_file(checkout: Path, name: str, expected: set[str]) -> None:
    assert {str(test) for test in belonging_to(Path(name), checkout)} == expected


def test_every_module_has_some_that_exist() -> None:
    for path in (ROOT / "wheelfs").rglob("*.py"):
        tests = belonging_to(path.relative_to(ROOT))
        assert tests
        assert all((ROOT / test).exists() for test in tests)


def test_without_files_all_are_chosen_and_files_of_elsewhere_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    assert capsys.readouterr().out.split() == ["tests/property", "tests/unit"]
    with pytest.raises(SystemExit, match="/etc/passwd"):
        main(["/etc/passwd"])
