"""The cost model finds what costs are made of, and names what stops growth."""

import json

import pytest

from benchmarks import cost_model
from benchmarks.cost_model import CostModel, one_run, search, terms
from benchmarks.own_algorithms import PARTS

SHAPES = [(n, b) for n in (2, 4, 8) for b in (16, 32, 64)]


def made_of(coefficient: float) -> dict[tuple[int, int], dict[str, float]]:
    """Costs in which every term counts the same."""
    return {shape: {part: coefficient * sum(terms(part, *shape)) for part in PARTS} for shape in SHAPES}


def test_a_fit_finds_costs_that_are_made_of_its_terms_and_predicts_others():
    model = CostModel.fit(made_of(1e-6))
    for shape in [(6, 48), (16, 256)]:
        expected = sum(1e-6 * sum(terms(part, *shape)) for part in PARTS)
        assert model.total(*shape) == pytest.approx(expected, rel=1e-6)
    assert model.total(4, 32) == pytest.approx(model.sampling(4, 32) + model.learning(4, 32))


def test_costs_that_no_term_explains_do_not_become_negative():
    model = CostModel.fit({(n, b): dict.fromkeys(PARTS, 1 / (n * b)) for n, b in SHAPES})
    assert min(min(own) for own in model.coefficients.values()) >= 0


@pytest.mark.parametrize(
    ("bytes_per_env_step", "call", "bottleneck"),
    [(0.0, 0.0, "learning"), (1e9, 0.0, "transfer"), (0.0, 1e9, "transfer")],
)
def test_a_run_with_ever_more_runners_waits_for_its_learner_or_for_the_network(
    bytes_per_env_step, call, bottleneck
):
    model = CostModel.fit(made_of(1e-6))
    few, many = (one_run(model, bytes_per_env_step, call, nodes) for nodes in (1, 1000))
    assert many["bottleneck"] == bottleneck
    assert many["env_steps_per_second"] < 1000 * few["env_steps_per_second"]
    shares = [many[f"share_{part}"] for part in ("sampling", "learning", "transfer")]
    assert sum(shares) == pytest.approx(1)


def test_a_search_grows_with_its_cores_until_the_driver_has_enough():
    model = CostModel.fit(made_of(1e-6))
    free, full = (search(model, 100.0, nodes, seconds_per_result=1.0) for nodes in (10, 1000))
    assert (free["bottleneck"], full["bottleneck"]) == ("cores", "Tune's driver")
    assert full["env_steps_per_second"] == pytest.approx(free["env_steps_per_second"] * 100 / 80)


def test_the_benchmark_measures_fits_predicts_and_writes(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cost_model, "FITTED", ((2, 4), (3, 8), (4, 32)))
    monkeypatch.setattr(cost_model, "HELD_OUT", (3, 6))
    monkeypatch.setattr(cost_model, "_TUNE_RESULTS", 3)
    path = tmp_path / "cost.json"
    cost_model.main(["--games", "snowdrift", "--iterations", "1", "--json", str(path)])
    results = json.loads(path.read_text())
    own = results["games"]["snowdrift"]
    assert own["held_out"]["measured"] > 0
    assert own["held_out"]["predicted"] > 0
    assert [row["nodes"] for row in own["one_run"]] == [1, 10, 100, 1000]
    assert results["transfer"]["bytes_per_second"] > 0
    assert results["tune_results_per_second"] > 0
    assert "snowdrift: fit within" in capsys.readouterr().out
