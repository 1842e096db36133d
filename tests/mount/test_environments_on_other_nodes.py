"""Real packages, run by real interpreters on a node that has nothing but a share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import uv
from packaging.utils import canonicalize_name

from tests.fakes.environment_bench import VERSION
from tests.fakes.processes import isolated_environment, run
from tests.fakes.real_index import machine_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs

PROJECTS = [
    *("scipy", "scikit-learn", "pandas", "matplotlib", "polars", "pyarrow", "transformers", "tokenizers", "cryptography"),
    *("ipykernel", "jupyter-client", "nbclient", "pytest", "hypothesis", "zope.interface", "zope.event", "pip"),
]

COMPUTES = """
import cryptography.hazmat.primitives.hashes, importlib.metadata, importlib.resources, io, multiprocessing, sys
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot, numpy, pandas, polars, pyarrow, pyarrow.parquet, scipy.stats, sklearn.linear_model
import tokenizers, transformers, zope.event, zope.interface

def squared(number):
    return int((numpy.arange(number) ** 2).sum())

if __name__ == "__main__":
    rng = numpy.random.default_rng(5)
    x = rng.normal(size=(200, 3)); y = x @ [1.0, 2.0, 3.0]
    assert numpy.allclose(sklearn.linear_model.LinearRegression().fit(x, y).coef_, [1, 2, 3])
    assert scipy.stats.ttest_1samp(x[:, 0], 9).pvalue < 1e-9
    table = pyarrow.Table.from_pandas(pandas.DataFrame(x, columns=list("abc")))
    kept = io.BytesIO(); pyarrow.parquet.write_table(table, kept); kept.seek(0)
    assert polars.read_parquet(kept).height == 200
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"mount": 0, "run": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?")
    assert fast("mount run nothing")["input_ids"] == [0, 1, 2]
    matplotlib.pyplot.plot(x[:, 0]); matplotlib.pyplot.savefig("drawn.png")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(squared, [3, 4]) == [5, 14]
    assert {e.name for e in importlib.metadata.entry_points(group="console_scripts")} >= {"pytest", "ipython", "transformers"}
    assert importlib.resources.files("matplotlib").joinpath("mpl-data", "matplotlibrc").is_file()
    quick = [name for name, module in sys.modules.items() if type(getattr(module, "__loader__", None)).__name__ == "Loader"]
    print("computed", len(importlib.metadata.requires("transformers")) > 0, len(quick) > 1000)
"""

KERNEL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
show = lambda message: print(message["content"].get("text", ""))
reply = client.execute_interactive("import numpy; print(numpy.arange(7).sum())", timeout=120, output_hook=show)
print(reply["content"]["status"])
client.stop_channels(); manager.shutdown_kernel(now=True)
"""


@pytest.mark.soak
@pytest.mark.real_index
def test_a_node_with_a_share_alone_runs_real_packages(
    run_wheelfs: RunWheelfs, mounted: MountWheelfs, real_index_url: str, store_dir: Path, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    first, second = ["--store", str(store_dir)], ["--store", str(tmp_path / "second")]
    options = ["--complete", "--index", f"main={real_index_url}"]
    run_wheelfs(*first, "env", "create", "it", *PROJECTS, *options, env=machine_settings(), timeout_s=1_800).succeeded()
    alone = {**isolated_environment(tmp_path / "home"), "MPLCONFIGDIR": str(tmp_path / "figures"), "HF_HUB_OFFLINE": "1"}

    def said(*words: str) -> str:
        return run(list(words), environment=alone, cwd=tmp_path, timeout_s=600).succeeded().stdout

    (tmp_path / "computes.py").write_text(COMPUTES)
    login = mounted("--no-index")
    assert said(str(login.path / "env" / "it" / "bin" / "python"), "computes.py").split() == ["computed", "True", "True"]
    login.stop()
    run_wheelfs(*first, "push", "--share", f"file://{share}", "--env", "it", timeout_s=600).succeeded()
    trusted = {"WHEELFS_NO_INDEX": "true"}
    run_wheelfs(*second, "pull", "--share", f"file://{share}", "--env", "it", env=trusted, timeout_s=600).succeeded()
    node = mounted("--share", f"lab=file://{share}", "--no-index", store=tmp_path / "second")
    python = str(node.path / "env" / "it" / "bin" / "python")
    for _ in ("lazily", "again"):
        assert said(python, "computes.py").split() == ["computed", "True", "True"]
    assert said(python, "-c", KERNEL).split() == ["21", "ok"]
    tests = f"{node.path}/env/it/lib/python{VERSION}/site-packages/numpy/lib/tests/test_histograms.py"
    assert "passed" in said(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    listed = [said(python, "-m", "pip", "list", "--format", "json")]
    listed.append(said(uv.find_uv_bin(), "pip", "list", "--python", python, "--format", "json"))
    ours, theirs = ({canonicalize_name(one["name"]) for one in json.loads(text)} for text in listed)
    assert ours == theirs
    assert ours >= {"transformers", "zope-interface"}
    said(python, "-m", "ipykernel", "install", "--prefix", str(tmp_path / "jupyter"), "--name", "it")
    kernel = json.loads((tmp_path / "jupyter" / "share" / "jupyter" / "kernels" / "it" / "kernel.json").read_text())
    assert kernel["argv"][0] == python
