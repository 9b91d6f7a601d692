from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.utils.conversions import parallel_to_aec
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import ENV_CREATOR, _global_registry

import rllib_lase
from rllib_lase import _registration
from rllib_lase.rllib.game_env import make_joint_env
from rllib_lase.rllib.joint_env import EnvironmentFault
from rllib_lase.rllib.multi_agent_copies import MultiAgentEnvCopies
from rllib_lase.rllib.parallel_env import ParallelEnvAdapter, as_multi_agent_env
from tests.rllib.crowd_env import AGENTS, Crowd, make_crowd
from tests.rllib.line_env import Line

PATH = "tests.rllib.crowd_env:make_crowd"


@pytest.fixture(autouse=True)
def _no_leftovers(monkeypatch):
    monkeypatch.setattr(_registration, "ENVIRONMENTS", {})


def adapted(**options) -> ParallelEnvAdapter:
    return ParallelEnvAdapter(Crowd(**options))


def play(env: ParallelEnvAdapter, steps: int):
    """The outcome of the last of some steps in which everybody left plays 1."""
    for _ in range(steps):
        outcome = env.step(dict.fromkeys(env.agents, 1))
    return outcome


def test_agents_come_in_the_order_of_possible_agents_and_shrink():
    env = adapted(leave={"adam": (2, "terminated")})
    assert env.possible_agents == env.agents == AGENTS
    env.reset(seed=0)
    play(env, 1)
    assert env.agents == AGENTS
    _, _, terminateds, truncateds, _ = play(env, 1)
    assert env.agents == ["zoe", "bob"]
    assert terminateds == {"zoe": False, "adam": True, "bob": False, "__all__": False}
    assert not any(truncateds.values())
    assert set(play(env, 1)[0]) == {"zoe", "bob"}


def test_where_some_terminate_and_others_are_truncated_the_episode_is_truncated():
    env = adapted(leave={"adam": (4, "terminated")})
    env.reset()
    _, _, terminateds, truncateds, _ = play(env, 4)
    assert terminateds == {"zoe": False, "adam": True, "bob": False, "__all__": False}
    assert truncateds == {"__all__": True}, "no flags of single agents, which RLlib takes for a termination"
    assert env.agents == []


def test_where_the_last_agents_terminate_the_episode_is_terminated():
    env = adapted(leave=dict.fromkeys(AGENTS, (2, "terminated")))
    env.reset()
    _, _, terminateds, truncateds, _ = play(env, 2)
    assert terminateds["__all__"]
    assert not any(truncateds.values())


def test_no_agents_left_ends_the_episode_without_a_flag():
    def without_flags(step, answer):
        if step == 3:
            env.par_env.agents = []
        return answer

    env = adapted(spoil=without_flags, horizon=None)
    env.reset()
    _, _, terminateds, truncateds, _ = play(env, 3)
    assert not any(terminateds.values())
    assert truncateds == {"__all__": True}


def test_an_agent_that_vanishes_without_a_flag_is_named():
    def lose_bob(step, answer):
        if step == 2:
            env.par_env.agents.remove("bob")
        return answer

    env = adapted(spoil=lose_bob)
    env.reset()
    play(env, 1)
    with pytest.raises(EnvironmentFault, match=r"\['bob'\] are no longer in `agents`.*Cure"):
        play(env, 1)


@pytest.mark.parametrize("when", ["next reset", "end"])
@pytest.mark.parametrize("kind", ["observation", "action"])
def test_a_space_that_changes_is_named(kind, when):
    env = adapted(horizon=2)
    env.reset()
    play(env, 1)
    getattr(env.par_env, f"{kind}_spaces")["adam"] = spaces.Discrete(7)
    with pytest.raises(
        EnvironmentFault, match=rf"{kind}_space of agent 'adam' is now Discrete\(7\), and was"
    ):
        env.reset() if when == "next reset" else play(env, 1)


def test_a_fault_of_the_adapter_is_told_with_copy_and_step():
    copies = MultiAgentEnvCopies(lambda config: Crowd(), {}, 2, 5, "crowd")
    obs = [np.zeros_like(final) for final in copies.final_obs]
    copies.reset(0, obs)
    copies._envs[1].par_env.action_spaces["zoe"] = spaces.Discrete(9)
    for _ in range(3):
        copies.step(np.ones((3, 2), np.int64), obs)
    with pytest.raises(EnvironmentFault, match=r"crowd, copy 1 \(env index 6\), step 4 of episode 0: action"):
        copies.step(np.ones((3, 2), np.int64), obs)


def test_observations_are_copied_also_where_they_are_read_only_and_shared():
    env = adapted()
    first, _ = env.reset(seed=0)
    kept = {agent: obs.copy() for agent, obs in first.items()}
    play(env, 2)
    for agent, obs in first.items():
        np.testing.assert_array_equal(obs, kept[agent])
        assert obs.flags.writeable
    first["zoe"][:] = 7
    np.testing.assert_array_equal(first["adam"], kept["adam"])


def test_observations_in_dicts_and_tuples_are_copied_too():
    def nested(step, answer):
        return ({a: {"seen": obs, "pair": (obs, 1)} for a, obs in answer[0].items()}, *answer[1:])

    env = adapted(spoil=nested)
    first, _ = env.reset(seed=0)
    play(env, 1)
    assert first["zoe"]["seen"][0] == 0
    assert first["zoe"]["pair"][0][0] == 0
    assert first["zoe"]["pair"][1] == 1


def test_seeds_are_passed_on_and_only_the_first_reset_has_one():
    made = []

    def create(config):
        made.append(Crowd())
        return made[-1]

    copies = MultiAgentEnvCopies(create, {}, 2)
    obs = [np.zeros_like(final) for final in copies.final_obs]
    copies.reset(3, obs)
    for _ in range(9):
        copies.step(np.ones((3, 2), np.int64), obs)
    seeds = [env.seeds for env in made]
    assert [own[1:] for own in seeds] == [[None, None]] * 2
    assert isinstance(seeds[0][0], int)
    assert seeds[0][0] != seeds[1][0]


def test_it_draws_in_the_environments_own_render_mode():
    env = adapted(render_mode="rgb_array")
    env.reset()
    play(env, 2)
    assert env.metadata["render_modes"] == ["rgb_array"]
    assert (env.render() == 2).all()
    assert adapted().render() is None


def test_it_closes_once():
    env = adapted()
    env.close()
    env.close()
    assert env.par_env.closed == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"possible_agents": []}, r"`possible_agents` is \[\].*before the first reset"),
        ({"observation_spaces": {}}, r"observation_space\('zoe'\) threw KeyError"),
        ({"action_spaces": dict.fromkeys(AGENTS)}, r"action_space\('zoe'\) is None"),
    ],
)
def test_what_lacks_agents_or_spaces_is_refused(changes, words):
    with pytest.raises(EnvironmentFault, match=words):
        adapted(changes=changes)


def test_an_older_interface_is_named():
    env = adapted(spoil=lambda step, answer: answer[0])
    with pytest.raises(EnvironmentFault, match=r"reset\(\) returned a dict, expected a pair.*older than"):
        env.reset()
    env = adapted(spoil=lambda step, answer: answer[:-1] if step else answer)
    env.reset()
    with pytest.raises(EnvironmentFault, match=r"step\(\) returned a tuple of 4, expected five dicts"):
        play(env, 1)


def test_rllibs_wrapper_is_replaced_by_ours_and_others_are_left_alone():
    crowd, line = Crowd(), Line({})
    assert as_multi_agent_env(ParallelPettingZooEnv(crowd)).par_env is crowd
    assert as_multi_agent_env(line) is line


def test_an_environment_in_turns_is_refused_with_its_parallel_form():
    with pytest.raises(EnvironmentFault, match=r"agents act in turns.*parallel form"):
        MultiAgentEnvCopies(lambda config: parallel_to_aec(Crowd()), {}, 1)


# --- names ------------------------------------------------------------------------------------------


def test_a_registered_function_gets_the_options_as_keywords():
    rllib_lase.register_env("crowd", Crowd)
    copies = make_joint_env("crowd", {"horizon": 2}, 2)
    assert copies.agent_ids == tuple(AGENTS)
    obs = [np.zeros_like(final) for final in copies.final_obs]
    copies.reset(0, obs)
    assert [bool(copies.step(np.ones((3, 2), np.int64), obs).dones.all()) for _ in range(2)] == [False, True]


def test_a_registered_multi_agent_env_class_gets_the_config_as_rllib_passes_it():
    rllib_lase.register_env("line", Line)
    assert make_joint_env("line", {"horizon": 2}, 1)._envs[0].horizon == 2


def test_what_is_registered_is_in_tunes_registry_for_rllibs_own_algorithms():
    rllib_lase.register_env("crowd", Crowd)
    made = _global_registry.get(ENV_CREATOR, "crowd")({"horizon": 2})
    assert isinstance(made, ParallelEnvAdapter)
    assert made.par_env.horizon == 2


def test_what_is_registered_is_told_to_tune_again_after_every_start_of_ray(monkeypatch):
    rllib_lase.register_env("crowd", Crowd)
    told = []
    monkeypatch.setattr("ray.tune.registry.register_env", lambda env_id, creator: told.append(env_id))
    rllib_lase.register_games()  # what runs after ray.init
    assert told.count("crowd") == 1


def test_rllibs_own_ppo_trains_on_its_own_runner(local_ray):
    rllib_lase.register_env("crowd", Crowd)
    config = PPOConfig().environment("crowd", env_config={"leave": {"bob": (2, "truncated")}})
    config.multi_agent(policies=set(AGENTS), policy_mapping_fn=lambda agent, *_, **__: agent)
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=2, rollout_fragment_length=16)
    config.training(train_batch_size_per_learner=32, minibatch_size=16, num_epochs=1)
    algorithm = config.build_algo()
    result = algorithm.train()
    algorithm.stop()
    assert result["env_runners"]["num_episodes"] == 8
    assert np.isfinite(result["learners"]["zoe"]["total_loss"])


@pytest.mark.parametrize("name", ["crowd", PATH])
def test_lase_trains_by_id_and_by_import_path_and_goes_on_from_a_checkpoint(name, tmp_path, local_ray):
    if name == "crowd":
        rllib_lase.register_env("crowd", make_crowd)
    config = rllib_lase.LASEConfig().environment(name, env_config={"leave": {"bob": (2, "terminated")}})
    config.env_runners(num_envs_per_env_runner=2, rollout_fragment_length=8)
    config.training(hidden_size=8, num_minibatches=2, rounds_per_iteration=1).debugging(seed=0)
    algorithm = config.build_algo()
    algorithm.train()
    assert algorithm.report.num_episodes == 4
    algorithm.save_to_path(tmp_path / "saved")
    weights = algorithm.module_state()
    algorithm.stop()
    again = rllib_lase.LASE.from_checkpoint(tmp_path / "saved")
    for agent, own in again.module_state().items():
        for key, value in own.items():
            np.testing.assert_array_equal(value, weights[agent][key])
    again.train()
    again.stop()


@pytest.mark.parametrize(
    ("env_id", "env_fn", "error", "words"),
    [
        ("cleanup", Crowd, ValueError, "'cleanup' is a game of mixed_motive"),
        ("a:b", Crowd, ValueError, "has a colon"),
        ("crowd", "Crowd", TypeError, "found a str, expected what makes"),
    ],
)
def test_what_cannot_be_registered_is_refused(env_id, env_fn, error, words):
    with pytest.raises(error, match=words):
        rllib_lase.register_env(env_id, env_fn)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("no_such_module:env", "cannot import 'no_such_module'"),
        ("tests.rllib.crowd_env:no_such", "has no 'no_such'"),
        ("tests.rllib.crowd_env:AGENTS", "found a list, expected a function or class"),
    ],
)
def test_a_wrong_import_path_is_explained(path, words):
    with pytest.raises(ValueError, match=words):
        make_joint_env(path, {}, 1)
