"""docs/algorithms.md has a section for every algorithm, which names every setting of its own."""

import dataclasses
import re
from pathlib import Path

import pytest

from rllib_lase.registry import ALGORITHMS, STOCK
from rllib_lase.registry.lase import LASESettings
from rllib_lase.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "algorithms.md").read_text()


def section_of(algo: str) -> str:
    for text in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        if f"`{algo}`" in text.splitlines()[0]:
            return text
    raise AssertionError(f"docs/algorithms.md has no section whose heading names `{algo}`")


@pytest.mark.parametrize("algo", [*ALGORITHMS, *STOCK])
def test_every_algorithm_has_a_section_with_its_source_and_games(algo: str) -> None:
    text = section_of(algo)
    assert algo in STOCK or "ource" in text, "it says where the algorithm comes from"
    assert algo.startswith("lase") or "ames" in text, "it says where it can be played"


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_a_section_names_every_setting_of_its_own(algo: str) -> None:
    settings_class = ALGORITHMS[algo].settings_class
    common = {item.name for item in dataclasses.fields(Settings)}
    page = section_of("lase" if issubclass(settings_class, LASESettings) else algo)
    missing = [
        f.name
        for f in dataclasses.fields(settings_class)
        if f.name not in common | set(re.findall(r"\w+", page))
    ]
    assert not missing


def test_the_readme_names_every_algorithm() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [algo for algo in [*ALGORITHMS, *STOCK] if f"`{algo}`" not in readme] == []
