"""The connector gives the rewards of the batched path: same data, same weights, brought another way."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import ray
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode
from ray.rllib.utils.minibatch_utils import ShardEpisodesIterator

from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.episode_rollouts import to_joint_rollouts
from rllib_lase.rllib.episodes import EpisodeCarry, to_multi_agent_episodes
from rllib_lase.rllib.gift_exchange import GiftExchange
from rllib_lase.rllib.learner import SocialLearner
from rllib_lase.rllib.social_training import SocialTraining
from rllib_lase.rollout import JointRollout, concatenate, split_copies
from rllib_lase.social.hook import JointSpaces
from rllib_lase.social.replay import JointReplay
from tests.rllib.line_rollouts import ACTION_SPACE, COPIES, OBS_SPACE, SCENES, rllibs_own, sampler
from tests.rollouts import random_rollout

#: What is compared, with settings under which it differs from the rewards themselves.
PREFERENCES: dict[str, dict[str, Any]] = {
    "lase": {},
    "lase, smoothed": {"relationship_smoothing": 0.7},
    "lase_uniform": {"gift_negative_rewards": False},
    "lase_oracle": {},
    "fixed_share": {},
    "go": {},
    "ia": {},
    "svo": {},
}


class TwoWays:
    """The batched learner, and a connector whose networks have the same weights."""

    def __init__(self, preference: str, rollout: JointRollout, spaces: JointSpaces) -> None:
        algo = preference.partition(",")[0]
        config = ALGORITHMS[algo].config_class()().environment("cleanup").debugging(seed=0)
        config.training(hidden_size=16, record_fraction=1.0, **PREFERENCES[preference])
        pairs = zip(spaces.observation_spaces, spaces.action_spaces, strict=True)
        module_spaces = dict(zip(spaces.agent_ids, pairs, strict=True))
        self.learner = SocialLearner(
            config=config, module_spec=config.get_multi_rl_module_spec(spaces=module_spaces)
        )
        self.learner.build()
        self.training = SocialTraining(config.make_hook(spaces), "cpu", 7, distributed=False)
        for agent_id, own in zip(spaces.agent_ids, self.training._agents, strict=True):
            own.load_state_dict(self.learner.module[agent_id].social.state_dict())
        self.connector = GiftExchange(self.training.exchange, spaces)
        self.spaces = spaces
        self._carry: torch.Tensor | None = None

    def batched(self, rollout: JointRollout) -> np.ndarray:
        """`(N, T, B)`; rollouts follow each other."""
        learnt = self.learner.judge(rollout, self._carry)
        self._carry = learnt.carry
        assert torch.isfinite(learnt.rewards).all()
        return learnt.rewards.numpy()

    def connected(self, episodes: Sequence[MultiAgentEpisode]) -> list[MultiAgentEpisode]:
        handed_over = list(episodes)
        batch = {"kept": "as it is"}
        assert self.connector(rl_module=None, batch=batch, episodes=handed_over) == batch
        return handed_over


def spaces_for(rollout: JointRollout, num_actions: int = 5) -> JointSpaces:
    obs = gym.spaces.Box(0, 1, rollout.groups[0].obs.shape[3:], np.uint8)
    agents = rollout.num_agents
    return JointSpaces(rollout.agent_ids, (obs,) * agents, (gym.spaces.Discrete(num_actions),) * agents)


def as_episodes(rollout: JointRollout, carry: EpisodeCarry) -> list[MultiAgentEpisode]:
    spaces = spaces_for(rollout)
    return to_multi_agent_episodes(
        rollout,
        carry,
        observation_spaces=dict(zip(spaces.agent_ids, spaces.observation_spaces, strict=True)),
        action_spaces=dict(zip(spaces.agent_ids, spaces.action_spaces, strict=True)),
        module_of=str,
        extra_model_outputs={},
    )


def assert_same_rewards(
    expected: np.ndarray,
    rollout: JointRollout,
    episodes: Sequence[MultiAgentEpisode],
    ways: TwoWays,
    atol: float = 1e-6,
) -> None:
    """Chunks of one rollout, copy after copy in the order of time, against `(N, T, B)`."""
    chunks = iter(episodes)
    for b in range(rollout.num_envs):
        start = 0
        while start < rollout.num_steps:
            chunk = next(chunks)
            steps = slice(start, start + len(chunk))
            for i, agent_id in enumerate(ways.spaces.agent_ids):
                here = rollout.active[i, steps, b]
                found = chunk.agent_episodes[agent_id].get_rewards() if here.any() else np.zeros(0)
                np.testing.assert_allclose(found, expected[i, steps, b][here], rtol=0, atol=atol)
            start += len(chunk)
    assert next(chunks, None) is None


def shuffled(
    episodes: list[MultiAgentEpisode], rng: np.random.Generator
) -> tuple[list[MultiAgentEpisode], np.ndarray]:
    """Episodes in another order, each with its agents in another one; and where each went."""
    order = rng.permutation(len(episodes))
    for episode in episodes:
        agents = list(episode.agent_episodes)
        episode.agent_episodes = {
            agents[k]: episode.agent_episodes[agents[k]] for k in rng.permutation(len(agents))
        }
    return [episodes[k] for k in order], np.argsort(order)


@pytest.mark.parametrize(
    ("preference", "seed"),
    [(name, seed) for name in PREFERENCES for seed in range(20 if name in ("lase", "lase, smoothed") else 2)],
)
def test_rewards_equal_those_of_the_batched_path_on_random_rollouts(preference, seed):
    rng = np.random.default_rng(seed)
    shape = {"num_agents": int(rng.integers(2, 5)), "num_steps": 8, "num_envs": 4, "leavers": seed % 2 == 0}
    length = [None, 3, 7, 8, 11][seed % 5]
    rollouts = [
        random_rollout(rng, episode_length=length, first_step=8 * k, **shape, num_actions=5) for k in range(3)
    ]
    ways = TwoWays(preference, rollouts[0], spaces_for(rollouts[0]))
    carry, moved = EpisodeCarry(), False
    for rollout in rollouts:
        expected = ways.batched(rollout)
        episodes, places = shuffled(as_episodes(rollout, carry), rng)
        changed = ways.connected(episodes)
        assert_same_rewards(expected, rollout, [changed[k] for k in places], ways)
        moved |= not np.allclose(expected, rollout.rewards)
    assert moved


@pytest.mark.parametrize("lookback", [0, 1, 3])
@pytest.mark.parametrize("scene", SCENES)
def test_so_do_rewards_in_episodes_that_rllib_built_step_by_step(scene, lookback):
    source = sampler(scene)
    rollouts = [source.sample() for _ in range(3)]
    spaces = JointSpaces(rollouts[0].agent_ids, (OBS_SPACE,) * 3, (ACTION_SPACE,) * 3)
    logits = [source.logits() for _ in rollouts]
    chunks = [rllibs_own(rollouts, logits, scene, b, lookback) for b in range(COPIES)]
    ways = TwoWays("lase, smoothed", rollouts[0], spaces)
    for rollout in rollouts:
        expected = ways.batched(rollout)
        own = []
        for of_copy in chunks:
            steps = 0
            while steps < rollout.num_steps:
                steps += len(of_copy[0])
                own.append(of_copy.pop(0))
        # Raw observations up to 24: Q spreads little beside its size, and float32 sums depend on their order.
        assert_same_rewards(expected, rollout, ways.connected(own), ways, atol=1e-5)


def test_chunks_that_come_together_are_one_stretch_of_their_episode():
    rng = np.random.default_rng(3)
    whole = random_rollout(rng, num_steps=8, episode_length=None)
    ways = TwoWays("lase, smoothed", whole, spaces_for(whole))
    expected = ways.batched(whole)
    episodes = as_episodes(whole, EpisodeCarry())
    halves = [[episode[:3], episode[3:]] for episode in episodes]
    # All later parts first, as runners may hand them over.
    changed = ways.connected([half[1] for half in halves] + [half[0] for half in halves])
    together = [part for b in range(4) for part in (changed[4 + b], changed[b])]
    assert_same_rewards(expected, whole, together, ways)


def test_what_two_learners_are_given_adds_up_to_all_rewards_of_the_batched_path():
    rng = np.random.default_rng(4)
    rollout = random_rollout(rng, num_steps=9, num_envs=3, episode_length=9, leavers=True)
    ways = TwoWays("lase", rollout, spaces_for(rollout))
    expected = ways.batched(rollout)
    shards = ShardEpisodesIterator(as_episodes(rollout, EpisodeCarry()), num_shards=2, len_lookback_buffer=1)
    found, cut = np.zeros(3), False
    for shard in shards:
        cut |= any(len(episode) < 9 for episode in shard)
        for episode in ways.connected(shard):
            for agent_id, own in episode.agent_episodes.items():
                found[rollout.agent_ids.index(agent_id)] += own.get_rewards().sum()
    assert cut
    np.testing.assert_allclose(found, expected.sum((1, 2)), atol=1e-5)


@ray.remote
def _play(seed: int) -> tuple[JointRollout, list[MultiAgentEpisode]]:
    rollout = random_rollout(np.random.default_rng(seed), episode_length=5, leavers=True)
    return rollout, as_episodes(rollout, EpisodeCarry())


def test_so_do_rewards_in_episodes_of_two_remote_runners_whose_arrays_cannot_be_written(local_ray):
    played = ray.get([_play.remote(seed) for seed in (0, 1)])
    rollout = concatenate([rollout for rollout, _ in played])
    episodes = [episode for _, own in played for episode in own]
    arrays = [own.rewards.data for episode in episodes for own in episode.agent_episodes.values()]
    assert any(not array.flags.writeable for array in arrays)
    ways = TwoWays("lase", rollout, spaces_for(rollout))
    expected = ways.batched(rollout)
    assert_same_rewards(expected, rollout, ways.connected(episodes), ways)


def test_the_episodes_themselves_keep_the_extrinsic_rewards_whatever_happens_to_the_others():
    rollout = random_rollout(np.random.default_rng(5), episode_length=5, leavers=True)
    ways = TwoWays("lase", rollout, spaces_for(rollout))
    episodes = as_episodes(rollout, EpisodeCarry())
    before = [pickle.dumps(episode.get_state()) for episode in episodes]
    for changed in ways.connected(episodes):
        for own in changed.agent_episodes.values():
            own.is_truncated = True
            for buffer in (own.observations, own.actions, own.rewards, own.infos):
                buffer.append(buffer[-1])
            for buffer in own.extra_model_outputs.values():
                buffer.append(buffer[-1])
    assert [pickle.dumps(episode.get_state()) for episode in episodes] == before


def test_joint_rollouts_of_episodes_are_those_that_the_episodes_were_made_of():
    rollout = random_rollout(np.random.default_rng(6), episode_length=5, leavers=True, first_step=2)
    parts = to_joint_rollouts(as_episodes(rollout, EpisodeCarry()), spaces_for(rollout))
    assert {part.rollout.num_steps for part in parts} == {3, 5}
    for part in parts:
        where = slice(0, 3) if part.rollout.num_steps == 3 else slice(3, 8)
        for name in ("actions", "rewards", "terminateds", "truncateds", "active"):
            np.testing.assert_array_equal(getattr(part.rollout, name), getattr(rollout, name)[:, where])
        np.testing.assert_array_equal(part.rollout.dones, rollout.dones[where])
        for i in range(3):
            seen = rollout.active[i, where]
            np.testing.assert_array_equal(
                part.rollout.obs_of(i)[:-1][seen], rollout.obs_of(i)[where][seen].astype(np.float32)
            )


def test_rollouts_of_single_copies_join_to_the_whole_again():
    rollout = random_rollout(np.random.default_rng(7), episode_length=3, leavers=True)
    joined = concatenate(split_copies(rollout))
    order = np.lexsort((joined.final_index[:, 1], joined.final_index[:, 0]))
    np.testing.assert_array_equal(joined.final_index[order], rollout.final_index)
    np.testing.assert_array_equal(joined.final_vf_preds[:, order], rollout.final_vf_preds)
    np.testing.assert_array_equal(joined.groups[0].obs, rollout.groups[0].obs)
    np.testing.assert_array_equal(joined.groups[0].final_obs[:, order], rollout.groups[0].final_obs)
    for name in ("actions", "rewards", "vf_preds", "active", "dones", "lanes", "lane_steps"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(rollout, name))


def one_episode(**changes: Any) -> MultiAgentEpisode:
    """Two agents, two steps."""
    obs, actions = np.zeros(3, np.float32), {"a": 0, "b": 1}
    episode = MultiAgentEpisode(
        observation_space=dict.fromkeys("ab", OBS_SPACE),
        action_space=dict.fromkeys("ab", ACTION_SPACE),
        agent_to_module_mapping_fn=changes.get("mapping", lambda agent_id, episode: agent_id),
    )
    episode.add_env_reset(observations=dict.fromkeys("ab", obs))
    for present in changes.get("present", ["ab", "ab"]):
        episode.add_env_step(
            dict.fromkeys(present, changes.get("obs", obs)),
            {agent: actions[agent] for agent in changes.get("acting", "ab")},
            dict.fromkeys("ab", 1.0),
            {},
            extra_model_outputs={agent: {Columns.ACTION_LOGP: 0.0} for agent in "ab"},
        )
    return episode.to_numpy()


def refused(episode: MultiAgentEpisode, match: str) -> None:
    spaces = JointSpaces(("a", "b"), (OBS_SPACE,) * 2, (ACTION_SPACE,) * 2)
    with pytest.raises(ValueError, match=match):
        to_joint_rollouts([episode], spaces)


def test_two_agents_of_one_module_are_refused_by_name():
    refused(one_episode(mapping=lambda agent_id, episode: "a"), "'a' has two agents .* 'b' among them")


def test_a_module_that_the_learner_does_not_have_is_refused_by_name():
    refused(
        one_episode(mapping=lambda agent_id, episode: f"p_{agent_id}"), "module 'p_a', expected one of a, b"
    )


def test_agents_that_take_turns_are_refused_with_episode_and_step():
    episode = one_episode(present=["a", "ab"])
    refused(episode, rf"agent 'b' has 1 steps in a chunk of 2, from env step 0 of episode {episode.id_}")


def test_episodes_that_another_connector_has_made_longer_are_refused_with_the_cure():
    from ray.rllib.connectors.learner import AddOneTsToEpisodesAndTruncate

    episode = one_episode()
    AddOneTsToEpisodesAndTruncate()(rl_module=None, batch={}, episodes=[episode], shared_data={})
    refused(episode, "'a' has 3 steps in a chunk of 2.*prepend GiftExchange")


def test_a_reward_that_is_not_finite_is_refused_with_module_episode_and_step():
    rollout = random_rollout(np.random.default_rng(8), num_steps=4)
    rollout.rewards[1, 2, 3] = np.nan
    ways, episodes = TwoWays("lase", rollout, spaces_for(rollout)), as_episodes(rollout, EpisodeCarry())
    with pytest.raises(
        ValueError, match=f"'agent_1' got reward nan in env step 2 of episode {episodes[3].id_}"
    ):
        ways.connected(episodes)


def test_continuous_actions_are_read_as_the_batched_path_reads_them():
    rollout = random_rollout(np.random.default_rng(9), action_size=2, episode_length=5, leavers=True)
    box = gym.spaces.Box(-1, 1, (2,), np.float32)
    spaces = JointSpaces(rollout.agent_ids, spaces_for(rollout).observation_spaces, (box,) * 3)
    ways = TwoWays("lase", rollout, spaces)
    assert_same_rewards(
        ways.batched(rollout), rollout, ways.connected(as_episodes(rollout, EpisodeCarry())), ways
    )


def test_observations_of_another_shape_than_the_module_reads_are_refused():
    spaces = JointSpaces(("a", "b"), (gym.spaces.Box(0, 1, (7,)),) * 2, (ACTION_SPACE,) * 2)
    with pytest.raises(ValueError, match=r"agent 'a' have shape \(3,\), expected \(7,\).*env-to-module"):
        to_joint_rollouts([one_episode()], spaces)


def transitions(replay: JointReplay, agent: int) -> set[bytes]:
    """All that Eq. 5 can learn from, whatever its place in the replay."""
    now = replay.transitions(agent)
    after, ended = replay.successors(now), replay.own("terminateds", agent, now)
    found = set()
    for k, (row, following) in enumerate(zip(now, after, strict=True)):
        parts = [replay.obs(agent, row[None]), replay.joint_actions(row[None])]
        if not ended[k]:  # else what follows is not looked at
            parts += [replay.obs(agent, following[None]), replay.joint_actions(following[None])]
        own = [replay.own(name, agent, row[None]) for name in ("rewards", "terminateds")]
        found.add(b"".join(np.asarray(part, np.float32).tobytes() for part in [*parts, *own]))
    return found


def test_social_networks_learn_from_the_transitions_of_the_batched_path():
    rollout = random_rollout(np.random.default_rng(10), num_steps=12, episode_length=5, leavers=True)
    ways = TwoWays("lase", rollout, spaces_for(rollout))
    ways.learner.hook.observe(rollout, ways.learner._networks())
    ways.connected(as_episodes(rollout, EpisodeCarry()))
    for agent in range(rollout.num_agents):
        expected = transitions(ways.learner.hook._training._replay, agent)
        assert transitions(ways.training.hook._training._replay, agent) == expected
        assert len(expected) > 20
