"""Results on a storage that outlives the cluster: whatever pyarrow, which Ray brings, can write to."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def storage_problem(target: str) -> str | None:
    """Why nothing can be written there; None if it can, which is tried."""
    try:
        filesystem, path = _filesystem(target)
        filesystem.create_dir(path, recursive=True)
        with filesystem.open_output_stream(f"{path}/.written") as stream:
            stream.write(b"")
        filesystem.delete_file(f"{path}/.written")
    except Exception as error:  # whatever the storage's client raises: it is the message
        return " ".join(str(error).split())
    return None


def upload(folder: Path, files: Sequence[Path], target: str) -> None:
    """Copies files of a folder to a storage."""
    filesystem, path = _filesystem(target)
    for file in files:
        place = f"{path}/{file.as_posix()}"
        filesystem.create_dir(place.rpartition("/")[0], recursive=True)
        with (folder / file).open("rb") as source, filesystem.open_output_stream(place) as stream:
            shutil.copyfileobj(source, stream)


def _filesystem(target: str) -> Any:
    from pyarrow.fs import FileSystem

    return FileSystem.from_uri(target if "://" in target else Path(target).absolute().as_uri())
