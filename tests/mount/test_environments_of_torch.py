"""torch and transformers, with gigabytes of libraries for graphics cards, run from a lazy environment."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import objects
from tests.fakes.processes import isolated_environment, run
from tests.fakes.real_index import machine_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs

COMPUTES = """
import torch, transformers
x = torch.arange(6.0).reshape(2, 3)
torch.save({"x": x}, "x.pt")
assert torch.equal(torch.load("x.pt")["x"], x)
sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 37, "vocab_size": 50}
model = transformers.BertModel(transformers.BertConfig(**sizes))
print((x @ x.T).sum().item(), *model(torch.tensor([[1, 2, 3]])).last_hidden_state.shape)
"""


@pytest.mark.soak
@pytest.mark.real_index
def test_torch_computes_with_a_part_of_what_its_wheels_have(
    run_wheelfs: RunWheelfs, mounted: MountWheelfs, real_index_url: str, store_dir: Path, tmp_path: Path
) -> None:
    settings, options = machine_settings(), ("--index", f"main={real_index_url}")
    words = ["--store", str(store_dir), "--json"]
    run_wheelfs(*words, "env", "create", "it", "torch", "transformers", *options, env=settings, timeout_s=1_800).succeeded()
    [shown] = objects(run_wheelfs(*words, "env", "show", "it").succeeded())
    mount = mounted(*options, env=settings)
    (tmp_path / "computes.py").write_text(COMPUTES)
    alone = {**isolated_environment(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    for _ in ("lazily", "again"):
        done = run(
            [f"{mount.path}/env/it/bin/python", "computes.py"], environment=alone, cwd=tmp_path, timeout_s=1_800
        ).succeeded()
        assert done.stdout.split() == ["83.0", "1", "3", "32"]
    [status] = objects(run_wheelfs(*words, "status").succeeded())
    size_bytes = sum(wheel["size_bytes"] for wheel in shown["wheels"])
    print(f"{status['counters']['fetched_bytes'] / 1e6:.0f} MB of {size_bytes / 1e6:.0f} MB came")
    assert status["counters"]["fetched_bytes"] < 0.8 * size_bytes
    mount.stop()
    shutil.rmtree(store_dir)  # pytest keeps what is there, and these are gigabytes
