import numpy as np
import pytest

from mixed_motive.errors import GameError
from mixed_motive.rendering.canvas import Canvas, agent_colour
from mixed_motive.rendering.ledger import Ledger

PICTURE = np.full((296, 288, 3), 90, np.uint8)
GIFTS = np.array([[0.7, 0.3, 0.0], [0.0, 0.0, 0.0], [0.0, 0.2, 0.8]])


def written(monkeypatch, ledger):
    """The ledger's lines: words and numbers from left to right."""
    texts = []
    draw = Canvas.text

    def keep(canvas, row, col, text, scale, colour):
        texts.append((row, col, text))
        draw(canvas, row, col, text, scale, colour)

    monkeypatch.setattr(Canvas, "text", keep)
    ledger.beneath(PICTURE)
    monkeypatch.undo()
    lines = {}
    for row, col, text in sorted(texts):
        lines.setdefault(row, []).append((col, text))
    return [" ".join(text for _, text in sorted(line)).split() for line in lines.values()]


def test_rows_say_what_each_agent_got_gave_and_has_now_and_so_far(monkeypatch):
    ledger = Ledger(3, gifts=True)
    ledger.add([1.0, 0.0, 1.0], GIFTS)
    ledger.add([0.0, -1.0, 0.0], np.zeros((3, 3)))
    assert written(monkeypatch, ledger) == [
        ["this", "step", "episode", "so", "far"],
        ["reward", "gave", "got", "has"] * 2,
        ["0", "1.00", "-0.30", "0", "0.70"],
        ["1", "-1.00", "-1.00", "-1.00", "0", "+0.50", "-0.50"],
        ["2", "1.00", "-0.20", "0", "0.80"],
    ]


def test_a_share_of_a_penalty_changes_its_owner_too(monkeypatch):
    ledger = Ledger(2, gifts=True)
    ledger.add([-1.0, 0.0], [[-0.6, -0.4], [0.0, 0.0]])
    assert written(monkeypatch, ledger)[2:] == [
        ["0", *["-1.00", "+0.40"], "-0.60", *["-1.00", "+0.40", "0", "-0.60"]],
        ["1", "-0.40", "-0.40", "0", "0", "-0.40", "-0.40"],
    ]


def test_without_gifts_only_rewards_are_written(monkeypatch):
    ledger = Ledger(2, gifts=False)
    ledger.add([2.0, 0.0])
    assert written(monkeypatch, ledger)[1:] == [["reward", "reward"], ["0", "2.00", "2.00"], ["1", "0"]]


@pytest.mark.parametrize("num_agents", [2, 8, 17, 64])
def test_every_agent_has_a_row_beneath_the_untouched_picture(num_agents):
    ledger = Ledger(num_agents, gifts=True)
    before = ledger.beneath(PICTURE)
    ledger.add(np.ones(num_agents), np.eye(num_agents))
    after = ledger.beneath(PICTURE)
    assert before.shape == after.shape
    rows, cols = np.nonzero((after[:296] == 90).all(axis=2))
    assert (len(rows), cols.max() - cols.min()) == (296 * 288, 287)
    for i in range(num_agents):
        assert (after[296:] == agent_colour(i)).all(axis=2).any()


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 60), (216, 288)), ((100, 300), (216, 300)), ((100, 600), (100 + 2 * 116, 600))],
)
def test_pictures_of_any_width_have_a_ledger_that_can_be_read(size, expected):
    assert Ledger(5, gifts=True).beneath(np.zeros((*size, 3), np.uint8)).shape[:2] == expected


@pytest.mark.parametrize(
    ("rewards", "gifts"),
    [
        ([1.0, 0.0], GIFTS),
        (np.array([True, False, True]), GIFTS),
        ([1.0, 0.0, np.inf], GIFTS),
        ([1.0, 0.0, 1.0], GIFTS[:2]),
        ([1.0, 0.0, 1.0], None),
    ],
)
def test_a_wrong_entry_is_refused_and_changes_nothing(rewards, gifts):
    ledger = Ledger(3, gifts=True)
    before = ledger.beneath(PICTURE)
    with pytest.raises(GameError, match="ledger: "):
        ledger.add(rewards, gifts)
    assert np.array_equal(ledger.beneath(PICTURE), before)
