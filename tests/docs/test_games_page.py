"""The examples of docs/games_library.md and of README's section on the games run as they stand."""

import re
from pathlib import Path

import mixed_motive

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "games_library.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run(page: str, name: str) -> None:
    """Run a page's Python blocks one after another, as a reader would."""
    examples = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert examples
    namespace: dict[str, object] = {}
    for number, example in enumerate(examples):
        exec(compile(example, f"{name}, example {number}", "exec"), namespace)


def section_of_readme() -> str:
    return README.split("\n## The games alone\n")[1].split("\n## ")[0]


def test_the_examples_of_the_page_run() -> None:
    run(PAGE, "docs/games_library.md")


def test_the_example_of_the_readme_runs() -> None:
    run(section_of_readme(), "README.md")


def test_the_readme_links_the_page_and_names_every_game_and_preset() -> None:
    section = section_of_readme()
    assert "](docs/games_library.md)" in section
    for game_id, spec in mixed_motive.GAMES.items():
        row = next(line for line in section.splitlines() if line.startswith(f"| `{game_id}` |"))
        assert all(f"`{preset}`" in row for preset in spec.presets)


def test_the_page_names_what_a_user_calls() -> None:
    words = set(re.findall(r"\w+", PAGE))
    public = {name for name in vars(mixed_motive.BatchedGame) if name[0] != "_"}
    fields = set(mixed_motive.StepBuffers.__dataclass_fields__) - {"arrays", "layout"}
    modules = {"continuous_public_goods_v0", "parallel_env", "env", "raw_env"}
    assert public | fields | modules <= words
