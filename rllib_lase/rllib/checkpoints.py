"""Checkpoints that execute nothing when loaded: arrays in safetensors, structure in JSON, hashes beside them.

Knows nothing of algorithms: it saves trees of plain values.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from rllib_lase.rllib.checkpoint_tree import CheckpointError, read_tree, write_tree
from rllib_lase.version import __version__

__all__ = ["CheckpointError", "appearing", "load_tree", "newest_whole", "save_tree"]

#: Kind of our algorithms' checkpoints.
ALGORITHM_KIND = "rllib-lase algorithm"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
STRUCTURE = "structure.json"
ARRAYS = "arrays.safetensors"
_RECORDED_LIBRARIES = ("numpy", "ray", "safetensors", "torch")


def save_tree(folder: str | os.PathLike[str], state: Any, *, kind: str) -> None:
    """Saves a tree of plain values as a folder, which appears complete or not at all.

    Args:
        folder: Where; must not exist yet, or be empty. Its parent folders are made.
        state: Nested dicts (keys of type str or int), lists and tuples of NumPy arrays and scalars, dense
            torch tensors, numbers, str, bool and None. A tensor comes back without gradient, on the CPU and
            in memory of its own, an OrderedDict as a dict; everything else exactly.
        kind: What the state is, e.g. "lase"; `load_tree` may ask for it.

    Raises:
        CheckpointError: if the folder is in use, or the state contains anything else.
    """
    structure, arrays = write_tree(state)
    contents = {
        STRUCTURE: json.dumps(structure, indent=1, allow_nan=False).encode(),
        ARRAYS: save_arrays(arrays),
    }
    manifest: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "kind": kind,
        "versions": _versions(),
        "files": {name: {"size": len(data), "sha256": _sha256(data)} for name, data in contents.items()},
    }
    manifest["sha256"] = _sha256(_canonical(manifest))
    contents[MANIFEST] = json.dumps(manifest, indent=1).encode()
    with appearing(Path(folder)) as partial:
        for name, data in contents.items():
            _write_durably(partial / name, data)


@contextlib.contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A folder to write a checkpoint into; it appears at `target` when the block ends, or not at all.

    Raises:
        CheckpointError: if the target is in use.
    """
    _require_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial-{secrets.token_hex(4)}")
    try:
        partial.mkdir()
        yield partial
        _require_free(target)
        if target.exists():
            target.rmdir()
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def load_tree(folder: str | os.PathLike[str], kind: str | None = None) -> Any:
    """Loads what `save_tree` saved. No file is interpreted before the sizes and hashes of all are right.

    Args:
        folder: The checkpoint.
        kind: The kind that is expected; None takes any.

    Returns:
        The state, with the types it was saved with.

    Raises:
        CheckpointError: if the folder is no checkpoint, is of an unknown format or another kind, lacks a
            file, has one that does not belong there, or has one whose content has changed.
    """
    contents = _whole_contents(Path(folder), kind)
    return read_tree(json.loads(contents[STRUCTURE]), load_arrays(contents[ARRAYS]))


def newest_whole(folders: Sequence[Path], kind: str) -> Path:
    """The newest checkpoint that could be loaded; a warning names it and later ones that could not.

    Args:
        folders: Checkpoints of one run, at least one, the earliest first.
        kind: The kind that is expected.

    Raises:
        CheckpointError: if none could; the message says of each why.
    """
    faults = []
    for folder in reversed(folders):
        try:
            _whole_contents(folder, kind)
        except (CheckpointError, OSError) as error:
            faults.append(str(error))
            continue
        if faults:
            warnings.warn(
                f"Going on from {folder}, the newest whole checkpoint: {' '.join(faults)}", stacklevel=2
            )
        return folder
    raise CheckpointError("\n".join([*faults, "No checkpoint of this run can be loaded here."]))


def _whole_contents(path: Path, kind: str | None) -> dict[str, bytes]:
    """The files by name, after sizes and hashes of all are right."""
    manifest = _read_manifest(path)
    if kind is not None and manifest["kind"] != kind:
        raise CheckpointError(
            f"{path}: a checkpoint of kind {manifest['kind']!r}, expected {kind!r}. Cure: load it with the "
            "algorithm that saved it."
        )
    extra = sorted(entry.name for entry in path.iterdir() if entry.name not in (MANIFEST, STRUCTURE, ARRAYS))
    if extra:
        raise CheckpointError(
            f"{path / extra[0]}: does not belong to a checkpoint; expected only {MANIFEST}, {STRUCTURE} and "
            f"{ARRAYS}. Likely cause: something else was saved here, or the checkpoint was tampered with. "
            "Cure: find out where it comes from, then remove it; our checkpoints never contain pickles."
        )
    return {name: _verified(path / name, manifest["files"][name]) for name in (STRUCTURE, ARRAYS)}


def _require_free(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists():
        raise CheckpointError(
            f"{target}: exists and is not an empty folder; a checkpoint is never written over another one. "
            "Cure: save to a new folder, or remove this one first."
        )


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST
    damaged = f"{file}: damaged. Likely cause: an interrupted copy. Cure: copy it again, or use another one."
    try:
        manifest = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(
            f"{file}: missing. Likely cause: {path} is no checkpoint of rllib-lase, or an incomplete copy. "
            "Cure: name the folder that contains the manifest, or copy the whole folder again."
        ) from None
    except ValueError as error:
        raise CheckpointError(damaged) from error
    if not isinstance(manifest, dict):
        raise CheckpointError(damaged)
    if manifest.get("format") != FORMAT_VERSION:
        raise CheckpointError(
            f"{file}: format version {manifest.get('format')!r}, expected {FORMAT_VERSION}. Likely cause: "
            f"it was saved by another version of rllib-lase (this is {__version__}). Cure: load it with the "
            f"versions that saved it: {manifest.get('versions')}."
        )
    stated = manifest.pop("sha256", None)
    if stated != _sha256(_canonical(manifest)) or set(manifest.get("files", ())) != {STRUCTURE, ARRAYS}:
        raise CheckpointError(damaged)
    return manifest


def _verified(file: Path, expected: dict[str, Any]) -> bytes:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(
            f"{file}: missing. Likely cause: an incomplete copy. Cure: copy the whole folder again, or use "
            "another checkpoint."
        ) from None
    if len(data) != expected["size"]:
        raise CheckpointError(
            f"{file}: {len(data)} bytes, expected {expected['size']}. Likely cause: an interrupted copy or a "
            "full disk. Cure: copy the file again, or use another checkpoint."
        )
    if _sha256(data) != expected["sha256"]:
        raise CheckpointError(
            f"{file}: its SHA-256 is not the manifest's. Likely cause: a faulty disk or transfer, or the "
            "file was changed. Cure: copy the file again, or use another checkpoint."
        )
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, sort_keys=True).encode()


def _versions() -> dict[str, str]:
    return {"rllib_lase": __version__} | {
        library: importlib.metadata.version(library)
        for library in _RECORDED_LIBRARIES
        if importlib.util.find_spec(library) is not None
    }
