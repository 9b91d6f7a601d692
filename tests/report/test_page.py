"""The report page: complete in itself, honest about what is missing, readable without pictures."""

import base64
import io
import re
import xml.etree.ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rllib_lase.report import write_gif, write_pictures, write_report
from rllib_lase.runs import RunError, RunFolder
from tests.synthetic_runs import progress_row, run_config, write_run


class Page(HTMLParser):
    """Collects what a page refers to and says."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.references: list[str] = []
        self.links: list[str] = []
        self.alts: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(self.html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "srcset"):
                self.references.append(value or "")
            if name == "href":
                self.links.append(value or "")
        if tag == "img":
            self.alts.append(dict(attributes)["alt"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_complete_in_itself(page: Page) -> None:
    assert page.references
    for reference in page.references:
        media_type, content = re.fullmatch(r"data:([a-z/+]+);base64,(.*)", reference).groups()  # type: ignore[union-attr]
        data = base64.b64decode(content, validate=True)
        if media_type == "image/svg+xml":
            assert b"<image" not in data
            assert b"<script" not in data
            assert not re.search(rb"href=\"(?!#)", data)
            xml.etree.ElementTree.fromstring(data)
        else:
            with Image.open(io.BytesIO(data)) as picture:
                picture.load()
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "url(" not in page.html
    assert "@import" not in page.html
    assert all(not re.match(r"[a-z]+:|/", link) for link in page.links)


@pytest.fixture(scope="module")
def run_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    run = write_run(tmp_path_factory.mktemp("report") / "run", iterations=30)
    write_gif(run.gif_path, [np.full((8, 8, 3), shade, dtype=np.uint8) for shade in (0, 100, 200)])
    return Page(write_report(run.path))


@pytest.fixture(scope="module")
def comparison_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("comparison")
    for algo in ("lase", "independent"):
        for seed in range(2):
            write_run(folder / f"{algo}-ppo-seed{seed}", algo, seed=seed, iterations=20)
    write_run(folder / "go-ppo-seed0", "go", iterations=2, finished=False)
    write_report(folder / "lase-ppo-seed0")
    return Page(write_report(folder))


def test_a_runs_page_is_complete_in_itself(run_page: Page) -> None:
    assert_complete_in_itself(run_page)


def test_a_comparisons_page_is_complete_in_itself(comparison_page: Page) -> None:
    assert_complete_in_itself(comparison_page)


def test_pictures_are_described_with_numbers(run_page: Page, comparison_page: Page) -> None:
    for alt in [*run_page.alts[1:], *comparison_page.alts]:
        assert re.search(r"\d", alt), alt
    assert "the largest gift goes from agent 0 to agent 2, 0.15" in " ".join(run_page.alts)


def test_a_runs_page_says_what_came_out_and_how_to_repeat_it(run_page: Page) -> None:
    for words in ("Cleanup, preset lase: lase (ppo), seed 0", "Share given away", "One evaluation episode."):
        assert words in run_page.text
    assert "An arrow is a gift" in run_page.text
    assert "lase train cleanup --algo lase --optimizer ppo --seed 0 --env-steps 100000" in run_page.text
    assert "not finished" not in run_page.text


def test_motion_stops_for_readers_who_asked_for_less(run_page: Page) -> None:
    assert '<source media="(prefers-reduced-motion: reduce)" srcset="data:image/png' in run_page.html


def test_a_comparison_names_the_optimiser_and_what_is_left_out(comparison_page: Page) -> None:
    assert "independent (ppo)" in comparison_page.text
    assert "comparison of 2 learners" in comparison_page.text
    assert "Left out, because not finished: go-ppo-seed0." in comparison_page.text
    assert "lase compare cleanup --algos lase,ppo --seeds 2 --optimizer ppo" in " ".join(
        comparison_page.text.replace("ppo,lase", "lase,ppo").split()
    )


def test_a_comparison_links_to_the_reports_of_its_runs_that_have_one(comparison_page: Page) -> None:
    assert comparison_page.links == ["lase-ppo-seed0/report.html"]


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "go", iterations=3)
    first = write_report(run.path).read_bytes()
    assert write_report(run.path).read_bytes() == first


def test_an_unfinished_run_is_reported_as_such_and_its_texts_are_escaped(tmp_path: Path) -> None:
    settings = {"note": "<script>alert(1)</script>"}
    run = write_run(tmp_path / "run", iterations=3, finished=False, settings=settings)
    page = Page(write_report(run.path))
    assert "<script>" not in page.html
    assert "This run was not finished: 99,999 of 100,000 env steps." in page.text


def test_a_run_with_one_row_and_undefined_numbers_is_reported(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", run_config("independent")) as run:
        run.append_progress(progress_row(1, 100, equality=float("nan"), collective_reward=float("nan")))
    assert "undefined throughout" in " ".join(Page(write_report(run.path)).alts)


def test_a_reports_pictures_can_be_had_as_files_in_the_order_of_the_page(tmp_path: Path) -> None:
    for algo in ("lase", "go"):
        write_run(tmp_path / "runs" / algo, algo, iterations=3)
    of_comparison = write_pictures(tmp_path / "runs", tmp_path / "pictures")
    of_run = write_pictures(tmp_path / "runs" / "go", tmp_path / "pictures" / "go")
    for paths, title in ((of_comparison, "learning-curves"), (of_run, "learning-curve")):
        assert paths[0].name == f"01-{title}.svg"
        assert [path.name for path in paths] == sorted(path.name for path in paths)
        for path in paths:
            assert xml.etree.ElementTree.parse(path).getroot().tag.endswith("svg")
    page = Page(write_report(tmp_path / "runs"))
    assert len(of_comparison) == len(page.alts)


def test_games_are_kept_apart(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "go", iterations=2)
    write_run(tmp_path / "b", "go", iterations=2, game="matrix", preset="ipd")
    page = Page(write_report(tmp_path))
    assert page.tags.count("table") == 3
    assert "Matrix, preset ipd" in page.text
    assert page.text.count("lase train") == 2


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        write_report(tmp_path)
    RunFolder.create(tmp_path / "started", run_config())
    with pytest.raises(RunError, match="none of its 1 runs is finished"):
        write_report(tmp_path)
    with pytest.raises(RunError, match=r"progress\.parquet: no such file"):
        write_report(tmp_path / "started")
