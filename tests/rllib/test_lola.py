"""LOLA as a learner: what moves its tables, what it refuses, and that it lives in the frame like others."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.learner.training_data import TrainingData

import mixed_motive
from rllib_lase.core.lola import exact_values, lola_gradient
from rllib_lase.defaults import default_settings
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.algorithms import LOLA, LOLAConfig
from rllib_lase.rllib.env_runner import BatchedEnvRunner
from rllib_lase.rllib.evaluate import evaluate
from rllib_lase.rllib.lola import LOLALearner
from rllib_lase.settings import SettingsError, setting_names
from tests.rllib.line_env import Line
from tests.rollouts import random_rollout

OBS, ACTIONS = gym.spaces.Box(0, 1, (5,), np.uint8), gym.spaces.Discrete(2)
SPACES = {"agent_0": (OBS, ACTIONS), "agent_1": (OBS, ACTIONS)}


def make_learner(game="ipd", env_config=None, seed=0, fragment=100, spaces=SPACES, **settings):
    config = LOLAConfig().environment(game, env_config=env_config or {}).debugging(seed=seed)
    config.training(**{"initial_logit_std": 1.0} | settings)
    config.env_runners(num_envs_per_env_runner=4, rollout_fragment_length=fragment)
    learner = LOLALearner(config=config, module_spec=config.get_multi_rl_module_spec(spaces=spaces))
    learner.build()
    return learner


def play(learner, num_envs=4, seed=0):
    """One whole episode of each copy, by the learner's own policies and critics."""
    config = learner.config.copy(copy_frozen=False).debugging(seed=seed)
    config.env_runners(num_envs_per_env_runner=num_envs)
    runner = BatchedEnvRunner(config=config, worker_index=0, num_workers=0)
    runner.use_module(learner.module)
    return runner.sample_rollout(config.rollout_fragment_length, 0.0)


def update(learner, rollout):
    learner.update(training_data=TrainingData(batch=rollout), timesteps={"env_steps": 0})


def logits_of(learner):
    return [logits.clone() for logits in learner._logits()]


def nonsense():
    return random_rollout(np.random.default_rng(0), 2, 6, 3, (5,), 2)


# --- the exact form -----------------------------------------------------------------------------------------


def test_a_round_adds_the_learning_rate_times_each_players_lookahead_gradient():
    learner = make_learner(lr=0.5, lookahead_lr=2.0, lookahead_steps=2, gamma=0.9)
    first, second = logits_of(learner)
    assert not torch.allclose(first, second)
    payoffs = torch.tensor([1.0, -0.2, 1.2, 0.0], dtype=torch.float64)

    def values(own, other):
        return exact_values(own, other, payoffs, 0.9)

    expected = [
        first + 0.5 * lola_gradient(values, first, second, 2.0, 2),
        second + 0.5 * lola_gradient(values, second, first, 2.0, 2),
    ]
    update(learner, nonsense())
    for found, wanted in zip(logits_of(learner), expected, strict=True):
        assert torch.allclose(found, wanted, atol=1e-5)


def test_the_exact_form_learns_nothing_from_rollouts():
    results = []
    for seed in (1, 2):
        learner = make_learner()
        update(learner, random_rollout(np.random.default_rng(seed), 2, 6, 3, (5,), 2))
        results.append(logits_of(learner))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_payoffs_are_those_of_the_game_that_is_played():
    moved = []
    for game, env_config in (("ipd", {}), ("matrix", {"preset": "chicken"}), ("ipd", {"S": 0.5, "T": 1.5})):
        learner = make_learner(game, env_config)
        update(learner, nonsense())
        moved.append(logits_of(learner)[0])
    assert not torch.allclose(moved[0], moved[1])
    assert torch.equal(moved[1], moved[2]), "the same four payoffs by another name"


def test_the_co_players_parameters_are_visible_and_matter():
    """What `visible_fields` says: LOLA is not decentralised."""
    moved = []
    for shift in (0.0, 1.0):
        learner = make_learner()
        with torch.no_grad():
            learner._modules()[1].policy.pi.weight[0] += shift
        before = logits_of(learner)[0]
        update(learner, nonsense())
        moved.append(logits_of(learner)[0] - before)
    assert not torch.allclose(moved[0], moved[1])
    assert "policy" in learner.hook.visible_fields


def test_tables_stay_mirrored_and_have_no_bias():
    learner = make_learner()
    for _ in range(3):
        update(learner, nonsense())
    for module in learner._modules():
        weight, bias = module.policy.pi.weight, module.policy.pi.bias
        assert torch.allclose(weight[0], -weight[1])
        assert not bias.any()
        logits = module.policy(torch.eye(5)).action_dist_inputs
        assert torch.allclose(logits[:, 0] - logits[:, 1], weight[0] - weight[1])


def test_the_report_has_the_value_per_step_of_both():
    learner = make_learner(initial_logit_std=0.0, gamma=0.9)
    update(learner, nonsense())
    report = learner.collect_report()["learner"]
    # At even odds in every state the four payoffs are equally likely.
    assert report["value_per_step"] == pytest.approx([0.5, 0.5])
    assert (report["policy_grad_norm"] > 0).all()


def test_two_tables_of_one_seed_differ_and_return_with_the_seed():
    first, second = logits_of(make_learner(seed=3))
    again, _ = logits_of(make_learner(seed=3))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not any(module.policy.vf.weight.any() for module in make_learner()._modules())


# --- DiCE ---------------------------------------------------------------------------------------------------


def steps_of(form, lookahead_lrs):
    """How far one round moves all ten logits with each lookahead; DiCE on the same 10,000 episodes."""
    steps, rollout = [], nonsense()
    for lookahead_lr in lookahead_lrs:
        learner = make_learner(
            lola_form=form,
            env_config={"horizon": 20},
            fragment=20,
            gamma=0.5,
            lambda_=1.0,
            lr=1.0,
            lookahead_lr=lookahead_lr,
        )
        if form == "dice" and not steps:
            rollout = play(learner, num_envs=10_000)
        before = logits_of(learner)
        update(learner, rollout)
        steps.append(torch.cat([after - old for after, old in zip(logits_of(learner), before, strict=True)]))
    return steps


def test_dice_steps_as_the_exact_form_does_on_many_episodes():
    exact_naive, exact_aware = steps_of("exact", (0.0, 2.0))
    dice_naive, dice_aware = steps_of("dice", (0.0, 2.0))
    for exact, dice in ((exact_naive, dice_naive), (exact_aware, dice_aware)):
        assert (dice - exact).norm() < 0.2 * exact.norm()
    # What the lookahead adds is of second order, and right by itself.
    exact, dice = exact_aware - exact_naive, dice_aware - dice_naive
    assert exact.norm() > 0.1 * exact_naive.norm()
    assert torch.nn.functional.cosine_similarity(exact, dice, dim=0) > 0.9


def test_critics_learn_in_dice_alone():
    for form, trained in (("exact", False), ("dice", True)):
        learner = make_learner(lola_form=form)
        before = [module.policy.vf.weight.detach().clone() for module in learner._modules()]
        update(learner, play(learner))
        for module, old in zip(learner._modules(), before, strict=True):
            assert torch.equal(module.policy.vf.weight, old) != trained
        assert ("vf_loss" in learner.collect_report()["learner"]) == trained


def test_critics_of_dice_come_to_the_exact_value():
    # At lambda 1 the targets are the returns, whatever the critic said when the rollout was sampled.
    learner = make_learner(
        env_config={"horizon": 40}, fragment=40, lola_form="dice", lr=1e-9, gamma=0.8, lambda_=1.0
    )
    rollout = play(learner, num_envs=1000)
    for _ in range(120):
        update(learner, rollout)
    start = torch.eye(5)[4:]
    found = [module.policy(start).vf_preds.item() for module in learner._modules()]
    payoffs = torch.tensor([1.0, -0.2, 1.2, 0.0], dtype=torch.float64)
    expected = [float(value) for value in exact_values(*logits_of(learner), payoffs, 0.8)]
    assert found == pytest.approx(expected, abs=0.15)


def test_a_learner_goes_on_from_its_state_to_the_bit():
    learner, other = make_learner(lola_form="dice"), make_learner(lola_form="dice", seed=9)
    update(learner, play(learner))
    other.set_state(learner.get_state())
    for each in (learner, other):
        for seed in (1, 2):
            update(each, play(each, seed=seed))
    for mine, theirs in zip(learner._modules(), other._modules(), strict=True):
        for name, value in mine.policy.state_dict().items():
            assert torch.equal(value, theirs.policy.state_dict()[name]), name


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", [game for game in mixed_motive.GAMES if game not in ("ipd", "matrix")])
def test_other_games_are_refused_with_the_reason(game):
    with pytest.raises(SettingsError, match=f"lola cannot play {game}: .*two players.*choose ipd or matrix"):
        LOLAConfig().environment(game).settings()


@pytest.mark.parametrize("name", sorted(ALGORITHMS["lola"].settings_class.unused))
def test_a_setting_that_means_nothing_is_refused(name):
    default = getattr(default_settings("ipd", ALGORITHMS["lola"]), name)
    other = (not default) if isinstance(default, bool) else default + (1 if isinstance(default, int) else 0.1)
    with pytest.raises(SettingsError, match=f"{name}: .* would change nothing.*leave it out"):
        LOLAConfig().environment("ipd").training(**{name: other}).settings()


@pytest.mark.parametrize("optimizer", ["a2c", "ppo"])
@pytest.mark.parametrize("game", ["ipd", "matrix", ""])
def test_tuned_defaults_are_valid(game, optimizer):
    settings = default_settings(game, ALGORITHMS["lola"], optimizer)
    assert settings.validate() == []
    assert settings.unused <= set(setting_names(type(settings)))


def test_recurrent_policies_and_endless_values_without_discount_are_refused():
    with pytest.raises(SettingsError, match=r"use_lstm: .*tables.*leave it off"):
        LOLAConfig().environment("ipd").training(use_lstm=True).settings()
    with pytest.raises(SettingsError, match=r"gamma: .*0\.96"):
        LOLAConfig().environment("ipd").training(gamma=1.0).settings()
    LOLAConfig().environment("ipd").training(gamma=1.0, lola_form="dice").settings()


def test_dice_refuses_parts_of_episodes():
    with pytest.raises(SettingsError, match=r"would cut episodes of 100 steps.*Choose 100"):
        make_learner(lola_form="dice", fragment=50)
    make_learner(lola_form="exact", fragment=50)


def test_environments_of_others_are_refused_when_they_are_built():
    with pytest.raises(SettingsError, match="knows the payoffs of ipd and matrix only, found"):
        make_learner(Line)
    with pytest.raises(ValueError, match=r"two agents that see one of 5 states.*Choose the game"):
        make_learner(Line, spaces={**SPACES, "agent_2": (OBS, ACTIONS)})


# --- the whole algorithm ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("local_ray")
@pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed")
@pytest.mark.parametrize("form", ["exact", "dice"])
def test_it_trains_evaluates_and_goes_on_from_a_checkpoint(form, tmp_path):
    config = LOLAConfig().environment("ipd", env_config={"horizon": 10}).debugging(seed=0, log_level="ERROR")
    config.training(lola_form=form, rounds_per_iteration=2)
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=4, rollout_fragment_length=10)
    algorithm = config.build_algo()
    result = algorithm.train()
    assert result["social"]["env_steps"] == 80
    assert result["learners"]["agent_1"]["policy_grad_norm"] > 0
    algorithm.save_to_path(tmp_path / "checkpoint")
    restored = LOLA.from_checkpoint(tmp_path / "checkpoint")
    for each in (algorithm, restored):
        each.train()
    weights, again = algorithm.module_state(), restored.module_state()
    assert all(np.array_equal(weights[a][n], again[a][n]) for a in weights for n in weights[a])
    evaluation = evaluate(restored, 4, seed=1)
    assert evaluation.episodes.returns.shape == (4, 2)
    assert evaluation.episodes.counts[:, :, 0].sum() > 0
    algorithm.stop()
    restored.stop()
