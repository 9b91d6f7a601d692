"""What a config cannot do: agents and rollouts that cannot be divided, spaces that do not fit."""

from __future__ import annotations

from rllib_lase.registry import ALGORITHMS
from rllib_lase.settings import Settings, SettingsError
from rllib_lase.social.hook import JointSpaces, SocialHook


def division_problems(
    algo_id: str, hook_class: type[SocialHook], settings: Settings, num_agents: int | None = None
) -> list[str]:
    """Why agents cannot be divided among actors, or rollouts among learners, if they should be.

    Args:
        algo_id: The algorithm.
        hook_class: Its preference.
        settings: Its settings.
        num_agents: How many agents there are; None where only the running environment knows.
    """
    actors = _actor_problems(algo_id, hook_class, settings, num_agents)
    return actors + _learner_problems(algo_id, hook_class, settings)


def _actor_problems(
    algo_id: str, hook_class: type[SocialHook], settings: Settings, num_agents: int | None
) -> list[str]:
    count = settings.decentralised_learners
    if count == 0:
        return []
    name, problems = "decentralised_learners", []
    if count == 1:
        problems.append(f"{name}: 1 divides nothing; choose 0, or 2 or more")
    if settings.num_env_runners:
        problems.append(f"{name}: agents act where they learn; leave num_env_runners at 0")
    if settings.num_learners:
        problems.append(f"{name}: the actors are the learners; leave num_learners at 0")
    problems += [
        f"{gpus}: {getattr(settings, gpus):g} asked for, but with {name}={count} the actors act and learn "
        f"on the CPU; leave {gpus} or {name} at 0"
        for gpus in ("num_gpus_per_env_runner", "num_gpus_per_learner")
        if getattr(settings, gpus)
    ]
    if num_agents is not None:
        problems += too_many_actors(count, num_agents)
    reason = hook_class.decentralisation_problem(settings)
    if reason:
        problems.append(f"{name}: {algo_id} cannot be decentralised: {reason}")
    return problems


def too_many_actors(count: int, num_agents: int) -> list[str]:
    """Why so many agents cannot be divided among so many actors; empty if they can."""
    if count <= num_agents:
        return []
    each = "and each needs at least one"
    return [
        f"decentralised_learners: {count} actors for {num_agents} agents, {each}; choose at most {num_agents}"
    ]


def _learner_problems(algo_id: str, hook_class: type[SocialHook], settings: Settings) -> list[str]:
    learners, runners = settings.num_learners, settings.num_env_runners
    if learners < 2:
        return []
    problems = []
    if not runners or runners % learners:
        problems.append(
            f"num_learners: {learners} learners share the rollouts of the remote env runners, found "
            f"num_env_runners={runners}; choose a multiple of {learners}, or 0 or 1 learner"
        )
    if hook_class.reads_policies or hook_class.shares_parameters:
        problems.append(
            f"num_learners: {algo_id} learns in one place, since its preference looks into "
            "policies or all agents are one network; choose 0 or 1"
        )
    return problems


def refuse_continuous(algo_id: str, hook_class: type[SocialHook], settings: Settings) -> None:
    """Refuses what has no meaning for continuous actions.

    Raises:
        SettingsError: naming all of it.
    """
    errors = [f"{name}: {reason}" for name, reason in hook_class.discrete_settings(settings).items()]
    if not hook_class.continuous_actions:
        able = [key for key, spec in ALGORITHMS.items() if spec.config_class().hook_class.continuous_actions]
        errors.append(
            f"env: {algo_id} needs discrete actions, and this environment's are continuous; "
            f"choose one of {', '.join(able)}"
        )
    if errors:
        raise SettingsError(errors)


def refuse_different_spaces(algo_id: str, spaces: JointSpaces) -> None:
    """Refuses agents that one set of parameters does not fit.

    Raises:
        ValueError: naming every agent with its spaces.
    """
    pairs = list(zip(spaces.observation_spaces, spaces.action_spaces, strict=True))
    if any(pair != pairs[0] for pair in pairs):
        found = "; ".join(
            f"{agent_id}: {observation}, {action}"
            for agent_id, (observation, action) in zip(spaces.agent_ids, pairs, strict=True)
        )
        raise ValueError(
            f"{algo_id} has one set of parameters for all agents, which therefore need the same spaces; "
            f"found {found}. Pad observations and actions to the same size, or train an algorithm whose "
            "agents have parameters of their own"
        )
