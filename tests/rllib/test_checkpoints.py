from __future__ import annotations

import json
import math
import pickle
import signal
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rllib_lase.rllib import checkpoints
from rllib_lase.rllib.checkpoint_tree import read_tree, write_tree
from rllib_lase.rllib.checkpoints import CheckpointError, load_tree, newest_whole, save_tree
from rllib_lase.run_checkpoints import find_checkpoint, run_checkpoints
from tests.interpreter import environment


def assert_same(found: Any, expected: Any) -> None:
    """Equal to the bit, with equal types all the way down."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        assert [type(key) for key in found] == [type(key) for key in expected]
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, torch.Tensor):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert (
            found.contiguous()
            .reshape(-1)
            .view(torch.uint8)
            .equal(expected.contiguous().reshape(-1).view(torch.uint8))
        )
    elif isinstance(expected, np.ndarray | np.generic):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()
    elif isinstance(expected, float) and math.isnan(expected):
        assert math.isnan(found)
    else:
        assert found == expected
        assert not isinstance(expected, float) or math.copysign(1, found) == math.copysign(1, expected)


STATE: dict[str, Any] = {
    "numbers": [
        0,
        -1,
        2**53,
        2**53 + 1,
        -(2**200),
        0.1,
        -0.0,
        5e-324,
        math.inf,
        -math.inf,
        math.nan,
        True,
        False,
        None,
    ],
    "words": ["", "ü", 'a "quoted" word\n', "[0]", ("nested", [("tuple",)], ())],
    "arrays": {
        dtype: np.arange(6).reshape(2, 3).astype(dtype)
        for dtype in ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
    },
    "floats": [np.array([0.1, math.nan, -math.inf], dtype) for dtype in (np.float16, np.float32, np.float64)],
    "zero-dimensional": np.array(7.5, np.float32),
    "empty": np.zeros((3, 0, 2), np.int64),
    "scalars": (np.float32(0.1), np.int64(-3), np.bool_(True), np.uint64(2**64 - 1)),
    "strided": np.arange(12).reshape(3, 4)[:, ::2],
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "tensors": {
        1: torch.tensor([0.1, -2.5], dtype=torch.bfloat16),
        2: torch.tensor(3.5),
        -3: torch.zeros(0, 4, dtype=torch.float64),
        10: torch.arange(6).reshape(2, 3).T,
        "mask": torch.tensor([True, False]),
        "half": torch.tensor([0.1], dtype=torch.float16),
    },
    "keys": {1: "int", "1": "str", "": "empty", "dict": "tag"},
    "containers": {"list": [], "dict": {}, "tuple": ()},
}


def test_everything_comes_back_with_its_type_to_the_bit(tmp_path: Path) -> None:
    save_tree(tmp_path / "state", STATE, kind="test")
    assert_same(load_tree(tmp_path / "state", "test"), STATE)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(width=64) | st.text(),
    lambda children: (
        st.lists(children, max_size=4)
        | st.lists(children, max_size=4).map(tuple)
        | st.dictionaries(st.text() | st.integers(), children, max_size=4)
    ),
    max_leaves=20,
)


@given(TREES)
def test_any_tree_of_plain_values_survives_json(tree: Any) -> None:
    structure, arrays = write_tree(tree)
    assert_same(read_tree(json.loads(json.dumps(structure, allow_nan=False)), arrays), tree)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.Philox, np.random.MT19937, np.random.SFC64])
def test_a_random_generator_goes_on_where_it_was_saved(tmp_path: Path, bits: Any) -> None:
    generator = np.random.Generator(bits(5))
    generator.random(3)
    save_tree(tmp_path / "rng", generator.bit_generator.state, kind="test")
    expected = generator.random(5)
    other = np.random.Generator(bits(0))
    other.bit_generator.state = load_tree(tmp_path / "rng")
    np.testing.assert_array_equal(other.random(5), expected)


def test_training_goes_on_to_the_bit_after_loading_module_and_optimizer(tmp_path: Path) -> None:
    def build() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
        return net, torch.optim.Adam(net.parameters(), lr=0.1)

    def train(net: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        net(torch.arange(12.0).reshape(4, 3)).square().sum().backward()
        optimizer.step()

    net, optimizer = build()
    train(net, optimizer)
    state = {"module": net.state_dict(), "optimizer": optimizer.state_dict()}
    assert isinstance(state["module"], OrderedDict)
    save_tree(tmp_path / "training", state, kind="test")
    train(net, optimizer)
    other, other_optimizer = build()
    loaded = load_tree(tmp_path / "training")
    other.load_state_dict(loaded["module"])
    other_optimizer.load_state_dict(loaded["optimizer"])
    train(other, other_optimizer)
    for one, two in zip(net.state_dict().values(), other.state_dict().values(), strict=True):
        assert one.equal(two)


def test_tensors_that_shared_memory_come_back_apart(tmp_path: Path) -> None:
    whole = torch.arange(4)
    save_tree(tmp_path / "s", {"a": whole, "b": whole[1:]}, kind="test")
    loaded = load_tree(tmp_path / "s")
    loaded["a"] += 1
    assert loaded["b"].tolist() == [1, 2, 3]


def test_loaded_arrays_can_be_written(tmp_path: Path) -> None:
    save_tree(tmp_path / "s", {"array": np.zeros(2), "tensor": torch.zeros(2)}, kind="test")
    loaded = load_tree(tmp_path / "s")
    loaded["array"] += 1
    loaded["tensor"] += 1
    assert loaded["array"].tolist() == loaded["tensor"].tolist() == [1, 1]


class Opaque:
    pass


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Opaque(), r"state\['a'\]\[0\]: found a .*Opaque; expected dicts, lists"),
        ({1.5: 0}, r"state\['a'\]\[0\]: found a key 1.5 of type float; expected keys of type str or int"),
        ({1, 2}, "found a builtins.set"),
        (np.array(["a"]), "found dtype <U1"),
        (np.array([None]), "found dtype object"),
        (np.zeros(1, np.complex64), "found dtype complex64"),
        (np.zeros(1, ">f8"), "found dtype >f8"),
        (torch.zeros(2).to_sparse(), "found a tensor of layout torch.sparse_coo"),
        (torch.zeros(1, dtype=torch.complex64), "found dtype complex64"),
        (torch.zeros(1, dtype=torch.float8_e4m3fn), "found a tensor of dtype torch.float8_e4m3fn"),
        (b"bytes", "found a builtins.bytes"),
    ],
)
def test_what_cannot_be_saved_exactly_is_refused_with_its_place(
    tmp_path: Path, value: Any, words: str
) -> None:
    with pytest.raises(CheckpointError, match=words):
        save_tree(tmp_path / "s", {"a": [value]}, kind="test")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_tree(tmp_path / "runs" / "checkpoint", {"weights": np.arange(100.0), "step": 3}, kind="test")
    return tmp_path / "runs" / "checkpoint"


def test_a_checkpoint_is_json_and_safetensors_and_says_what_it_is(saved: Path) -> None:
    assert sorted(file.name for file in saved.iterdir()) == [
        "arrays.safetensors",
        "manifest.json",
        "structure.json",
    ]
    manifest = json.loads((saved / "manifest.json").read_bytes())
    assert (manifest["format"], manifest["kind"]) == (1, "test")
    assert set(manifest["versions"]) == {"rllib_lase", "numpy", "ray", "safetensors", "torch"}
    assert manifest["files"]["structure.json"]["size"] == (saved / "structure.json").stat().st_size
    assert [file.name for file in saved.parent.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("name", ["arrays.safetensors", "structure.json", "manifest.json"])
def test_one_flipped_bit_anywhere_is_noticed(saved: Path, name: str) -> None:
    original = (saved / name).read_bytes()
    for position in range(0, len(original), 7):
        damaged = bytearray(original)
        damaged[position] ^= 1 << position % 8
        if name == "manifest.json" and _same_json(damaged, original):
            continue
        (saved / name).write_bytes(damaged)
        with pytest.raises(CheckpointError, match=f"{name}: "):
            load_tree(saved)


def _same_json(one: bytes, other: bytes) -> bool:
    """Whether a change touched nothing but white space."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


@pytest.mark.parametrize("name", ["arrays.safetensors", "structure.json", "manifest.json"])
def test_a_truncated_file_is_named(saved: Path, name: str) -> None:
    data = (saved / name).read_bytes()
    (saved / name).write_bytes(data[: len(data) // 2])
    words = (
        f"{name}: damaged" if name == "manifest.json" else rf"{name}: \d+ bytes, expected {len(data)}.*Cure"
    )
    with pytest.raises(CheckpointError, match=words):
        load_tree(saved)


@pytest.mark.parametrize("name", ["arrays.safetensors", "structure.json", "manifest.json"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(CheckpointError, match=rf"{name}: missing.*Cure"):
        load_tree(saved)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    for path in (tmp_path, tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(CheckpointError, match=r"is no checkpoint of rllib-lase"):
            load_tree(path)


def test_a_pickle_in_the_folder_is_refused_and_never_executed(saved: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (saved.parent / "executed",))

    (saved / "algorithm_state.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match=r"algorithm_state.pkl: does not belong.*never contain pickles"):
        load_tree(saved)
    for name in ("arrays.safetensors", "structure.json", "manifest.json"):
        original = (saved / name).read_bytes()
        (saved / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(CheckpointError):
            load_tree(saved)
        (saved / name).write_bytes(original)
    assert not (saved.parent / "executed").exists()


def test_an_unknown_format_version_is_refused_with_the_versions_that_saved_it(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "FORMAT_VERSION", 2)
    save_tree(tmp_path / "newer", {}, kind="test")
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"format version 2, expected 1.*'rllib_lase': "):
        load_tree(tmp_path / "newer")


def test_another_kind_is_refused(saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"of kind 'test', expected 'lase'"):
        load_tree(saved, "lase")
    assert load_tree(saved)["step"] == 3


def test_a_checkpoint_is_never_written_over_another(saved: Path) -> None:
    before = {file.name: file.read_bytes() for file in saved.iterdir()}
    with pytest.raises(CheckpointError, match=r"checkpoint: exists and is not an empty folder.*Cure"):
        save_tree(saved, {}, kind="test")
    assert {file.name: file.read_bytes() for file in saved.iterdir()} == before


def test_an_empty_folder_becomes_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "made by tune").mkdir()
    save_tree(tmp_path / "made by tune", {"step": 1}, kind="test")
    assert load_tree(tmp_path / "made by tune") == {"step": 1}


def test_an_interrupted_save_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def fail_at_the_second(path: Path, data: bytes) -> None:
        written.append(path.name)
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(checkpoints, "_write_durably", fail_at_the_second)
    with pytest.raises(OSError, match="No space left"):
        save_tree(tmp_path / "s", {"a": 1}, kind="test")
    assert list(tmp_path.iterdir()) == []


_KILLED_WHILE_SAVING = """
import os, signal, sys
from rllib_lase.rllib import checkpoints

written, write = [], checkpoints._write_durably

def kill_at_the_last(path, data):
    written.append(path)
    write(path, data if len(written) < 3 else data[: len(data) // 2])
    if len(written) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoints._write_durably = kill_at_the_last
checkpoints.save_tree(sys.argv[1], {"a": 1}, kind="test")
"""


def test_a_process_that_is_killed_while_saving_leaves_nothing_that_looks_like_a_checkpoint(
    tmp_path: Path,
) -> None:
    save_tree(tmp_path / "checkpoints" / "env_steps_000000100", {"a": 0}, kind="test")
    target = tmp_path / "checkpoints" / "env_steps_000000200"
    command = [sys.executable, "-c", _KILLED_WHILE_SAVING, str(target)]
    assert subprocess.run(command, env=environment(), check=False).returncode == -signal.SIGKILL
    left = [path for path in target.parent.iterdir() if path.name.startswith(".")]
    assert [len(list(path.iterdir())) for path in left] == [3], "it got as far as the last file"
    assert list(run_checkpoints(tmp_path)) == [100]
    save_tree(target, {"a": 1}, kind="test")
    assert load_tree(find_checkpoint(tmp_path)) == {"a": 1}


def test_the_newest_whole_checkpoint_is_found_without_a_word_if_it_is_the_latest(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        save_tree(folder, {"name": folder.name}, kind="test")
    assert newest_whole(folders, "test") == folders[1]
