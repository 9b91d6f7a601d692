"""Gifts as actions: budgets and amounts against numbers worked out by hand."""

from __future__ import annotations

import torch

from rllib_lase.core.gift_actions import affordable_gifts, gift_amounts


def steps(*values: float) -> torch.Tensor:
    """`(N, T, B)` for one agent and one copy."""
    return torch.tensor(values).view(1, -1, 1)


def test_a_fixed_budget_runs_out_and_is_full_again_in_the_next_episode() -> None:
    wishes = steps(1, 1, 1, 1, 1, 1).bool()
    dones = torch.tensor([0, 0, 0, 1, 0, 0]).view(-1, 1).bool()
    made, after = affordable_gifts(wishes, torch.zeros(1, 6, 1), dones, torch.tensor([[2.0]]), 2.0)
    assert made.flatten().tolist() == [True, True, False, False, True, True]
    assert after.item() == 0


def test_an_earned_budget_pays_only_for_later_steps() -> None:
    wishes = steps(1, 1, 1, 1).bool()
    dones = torch.zeros(4, 1, dtype=torch.bool)
    made, after = affordable_gifts(wishes, steps(1.5, 0, 0.5, 0), dones, torch.zeros(1, 1), 0.0)
    assert made.flatten().tolist() == [False, True, False, True]
    assert after.item() == 0


def test_a_gift_is_split_among_the_co_players_in_the_game() -> None:
    active = torch.tensor([[True, True, True, True], [True, True, True, False], [True, False, False, False]])
    gives = torch.tensor([[True, False, True, False], [True, False, False, True], [True, True, False, False]])
    amounts = gift_amounts(gives, active, 3.0)
    first = torch.tensor([[0.0, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0]])
    second = torch.tensor([[0.0, 1.5, 1.5, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    torch.testing.assert_close(amounts, torch.stack([first, second, torch.zeros(4, 4)]))
