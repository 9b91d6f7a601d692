import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mixed_motive
from mixed_motive import rules

FOLDER = Path(__file__).parents[2] / "docs" / "games"
PAGES = [rules.INDEX, *(f"{game_id}.md" for game_id in mixed_motive.GAMES)]


def rows_of(page):
    """Cells of the rows of all tables of a page."""
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in page.splitlines() if line[:1] == "|"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder that the command writes."""
    folder = tmp_path_factory.mktemp("rules") / "docs" / "games"
    subprocess.run(
        [sys.executable, "-m", "mixed_motive.rules", "--write", folder],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(mixed_motive.__file__).parents[1])},
    )
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_the_committed_page_is_up_to_date(written, page):
    # If not: python -m mixed_motive.rules --write docs/games
    assert (FOLDER / page).read_text(encoding="utf-8") == (written / page).read_text(encoding="utf-8")


def test_there_is_a_page_for_every_game_and_for_nothing_else(written):
    assert {path.name for path in FOLDER.iterdir()} == {path.name for path in written.iterdir()} == set(PAGES)


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_every_number_of_every_preset_is_on_the_page(game_id):
    found, presets = {}, None
    for name, *cells in rows_of(rules.rules_page(game_id)):
        if name == "parameter":
            presets = [preset.strip("`") for preset in cells[2:]]
        elif name == "`obs=`":
            presets = None
        elif presets is not None and name != "---":
            for preset, value in zip(presets, cells[2:], strict=True):
                found[preset, name.strip("`")] = value
    for preset, params in mixed_motive.GAMES[game_id].presets.items():
        for field in dataclasses.fields(params):
            value = getattr(params, field.name)
            shown = found[preset, field.name]
            if isinstance(value, float):
                assert float(shown) == pytest.approx(value, rel=1e-5)
            else:
                assert shown == str(value)


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_actions_counts_and_shapes_of_every_preset_are_on_the_page(game_id):
    page = rules.rules_page(game_id)
    for preset in mixed_motive.GAMES[game_id].presets:
        game = mixed_motive.make(game_id, preset=preset)
        for names in (game.action_names, game.count_names):
            assert ", ".join(f"{k} `{name}`" for k, name in enumerate(names)) in page
        assert str(game.observation_space.shape) in page


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_every_rule_set_says_in_sentences_how_it_differs_from_references(game_id):
    for part in rules.rules_page(game_id).split("Differences to references\n\n")[1:]:
        differences = part.partition("\n## ")[0].split("\n\n")
        assert len(differences) >= 2
        for reference, sentences in zip(differences[::2], differences[1::2], strict=True):
            assert reference.startswith("**")
            assert all(line.startswith("- ") and line.endswith(".") for line in sentences.splitlines())


def test_a_page_has_a_part_for_each_rule_set():
    for game_id, spec in mixed_motive.GAMES.items():
        page = rules.rules_page(game_id)
        assert page.count("Differences to references") == len({type(p) for p in spec.presets.values()})


def test_what_follows_from_the_numbers_stands_apart_from_those_that_can_be_set():
    page = rules.rules_page("stag_hunt")
    assert "max_collective_reward" not in {row[0].strip("`") for row in rows_of(page)}
    assert "`max_collective_reward`, the most that all agents together can get: 20 with `lase`" in page
    assert "max_collective_reward" not in rules.rules_page("cleanup")


@pytest.mark.parametrize("game_id", list(mixed_motive.GAMES))
def test_a_page_speaks_of_presets_of_its_own_game_only(game_id):
    spec = mixed_motive.GAMES[game_id]
    page = rules.rules_page(game_id)
    own = {field.name for params in spec.classes for field in dataclasses.fields(params)} | set(spec.presets)
    others = {preset for other in mixed_motive.GAMES.values() for preset in other.presets} - own
    assert {name for name in others if f"`{name}`" in page} <= {"ipd"}, "the game that is called so"


def test_the_index_has_the_size_of_each_map_and_the_colour_of_each_class():
    index = rules.index_page()
    assert "`ssdg` 16x38, `ssdg_25x18` 25x18" in index
    found = {row[0].strip("`"): row[1] for row in rows_of(index) if len(row) == 2}
    for game_id, spec in mixed_motive.GAMES.items():
        for preset in spec.presets:
            game = mixed_motive.make(game_id, preset=preset)
            for name, colour in zip(
                game.class_names, game._make_palette() if game.class_names else (), strict=True
            ):
                owner = name.removeprefix("coin_")
                if owner != name:
                    colour_of_owner = [int(part) for part in found[f"agent_{owner}"].split(",")]
                    assert [part * 5 // 8 for part in colour_of_owner] == colour.tolist()
                else:
                    assert found[name] == ", ".join(map(str, colour))


def test_the_index_links_every_page():
    index = rules.index_page()
    for game_id, spec in mixed_motive.GAMES.items():
        assert f"[`{game_id}`]({game_id}.md)" in index
        assert all(f"`{preset}`" in index for preset in spec.presets)
