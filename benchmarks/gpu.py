"""How fast a device is for us: agent steps per second of LASE's own rounds and of bare networks.

Run:

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python -m benchmarks.gpu --json gpu.json

Two minutes on a CPU, less on a GPU; `--device` chooses, a GPU if there is one. Agent steps are env steps
times agents.

`rounds` is what a run does: LASE with PPO on Cleanup with the tuned networks, for several numbers of agents
and of copies, in one process with acting and learning on the device (num_gpus_per_env_runner and
num_gpus_per_learner are 1 on a GPU). "sampling" is a fragment of 50 steps, the game's steps on the CPU among
it, "whole" a round with its learning.

`rates` is what the device could do if nothing else took time: the same networks (conv16-conv32-fc128, one
per agent) on random data, in fp32 and bf16. "sampling" is a forward pass of all agents without gradients,
"training" a forward and backward pass of a simple loss with an Adam step. Last, a check that bf16 learns as
fp32 does: the same policy learns the same labels in both, and the accuracies are reported.

On a GPU each figure comes with the share of the time in which it worked (the kernels' time that
torch.profiler sees in one more call, over the wall time of a call); on a CPU that is left out.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.benchmark import Timer

from benchmarks.own_algorithms import OwnAlgorithm
from benchmarks.timing import machine_facts, write_json
from rllib_lase.defaults import default_settings
from rllib_lase.networks import PolicyNet
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.acting import GroupActor
from rllib_lase.rllib.session import ray_session

#: Of a round.
STEPS = 50
OBS_SHAPE, NUM_ACTIONS, HIDDEN = (9, 5, 5), 7, 128
#: Shortest time that a figure is measured over.
MIN_SECONDS = 0.5


def make_nets(agents: int, device: torch.device) -> list[PolicyNet]:
    """One network per agent, the same in every run."""
    torch.manual_seed(0)
    return [PolicyNet(OBS_SHAPE, NUM_ACTIONS, HIDDEN, None).to(device) for _ in range(agents)]


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """bf16 where it is asked for."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def measure(work: Callable[[], object], device: torch.device) -> tuple[float, float | None]:
    """Median seconds of one call, and the share of them in which the GPU worked (None on a CPU)."""
    work()
    seconds = Timer("work()", globals={"work": work}).blocked_autorange(min_run_time=MIN_SECONDS).median
    if device.type != "cuda":
        return seconds, None
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        work()
        torch.cuda.synchronize()
    busy = sum(event.device_time for event in profile.events()) * 1e-6
    return seconds, min(1.0, busy / seconds)


def sampling(nets: Sequence[PolicyNet], obs: Tensor, precision: str) -> Callable[[], None]:
    """A forward pass of all agents, as runners do it."""
    actor = GroupActor(nets, OBS_SHAPE)

    def work() -> None:
        with autocast(precision, obs.device):
            actor(obs)

    return work


def training(nets: Sequence[PolicyNet], obs: Tensor, actions: Tensor, precision: str) -> Callable[[], None]:
    """A step of every agent on its own batch."""
    optimizers = [torch.optim.Adam(net.parameters(), lr=1e-3) for net in nets]

    def work() -> None:
        losses = []
        for agent, net in enumerate(nets):
            # Left after every pass: within one autocast weights are cast once and then never again.
            with autocast(precision, obs.device):
                output = net(obs[agent])
            losses.append(F.cross_entropy(output.action_dist_inputs.float(), actions[agent]))
            losses.append(output.vf_preds.float().square().mean())
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()
        for optimizer in optimizers:
            optimizer.step()

    return work


def rounds(agents: int, copies: int, device: torch.device) -> dict[str, Any]:
    """Agent steps per second of LASE's sampling and of its whole rounds on Cleanup."""
    gpus = int(device.type == "cuda")
    settings = default_settings("cleanup", ALGORITHMS["lase"], "ppo").replace(
        num_envs_per_env_runner=copies,
        rollout_fragment_length=STEPS,
        rounds_per_iteration=1,
        num_gpus_per_env_runner=gpus,
        num_gpus_per_learner=gpus,
    )
    lase = OwnAlgorithm("lase", "lase", settings, "cleanup", {"num_agents": agents})
    lase.train()
    works: dict[str, Callable[[], object]] = {
        "sampling": lambda: lase.runner.sample_rollout(STEPS, 0.0),
        "whole": lase.train,
    }
    row = _measured(works, agents * copies * STEPS, device)
    lase.stop()
    return {"agents": agents, "copies": copies, **row}


def _measured(
    works: Mapping[str, Callable[[], object]], agent_steps: int, device: torch.device
) -> dict[str, float]:
    """Agent steps per second of each kind of work, on a GPU also the share of the time in which it worked."""
    row = {}
    for name, work in works.items():
        seconds, busy = measure(work, device)
        row[f"{name}_agent_steps_per_second"] = agent_steps / seconds
        if busy is not None:
            row[f"{name}_gpu_share"] = busy
    return row


def rates(agents: int, batch: int, precision: str, device: torch.device) -> dict[str, Any]:
    """Agent steps per second of bare networks' work."""
    generator = torch.Generator().manual_seed(1)
    obs = (torch.rand(agents, batch, *OBS_SHAPE, generator=generator) < 0.2).float().to(device)
    actions = torch.randint(NUM_ACTIONS, (agents, batch), generator=generator).to(device)
    nets = make_nets(agents, device)
    works = {
        "sampling": sampling(nets, obs, precision),
        "training": training(nets, obs, actions, precision),
    }
    row = _measured(works, agents * batch, device)
    return {"agents": agents, "batch": batch, "precision": precision, **row}


def accuracy(precision: str, device: torch.device, steps: int = 150) -> float:
    """Share of right labels of a random linear teacher after some steps; chance is about 1 / actions."""
    generator = torch.Generator().manual_seed(2)
    obs = (torch.rand(1, 2048, *OBS_SHAPE, generator=generator) < 0.2).float()
    teacher = torch.randn(NUM_ACTIONS, obs[0, 0].numel(), generator=generator)
    labels = (obs.flatten(2) @ teacher.T).argmax(-1)
    obs, labels = obs.to(device), labels.to(device)
    nets = make_nets(1, device)
    step = training(nets, obs, labels, precision)
    for _ in range(steps):
        step()
    with torch.no_grad():
        predicted = nets[0](obs[0]).action_dist_inputs.argmax(-1)
    return float((predicted == labels[0]).float().mean())


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints the table, writes the JSON file if asked to; returns its content."""
    parser = argparse.ArgumentParser(description="How fast a device is for us.")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, help="cuda or cpu [a GPU if there is one]")
    parser.add_argument("--agents", type=int, nargs="*", default=[2, 4, 8])
    parser.add_argument("--copies", type=int, nargs="*", default=[32, 256], help="of the game, in rounds")
    parser.add_argument("--batches", type=int, nargs="*", default=[64, 512, 4096], help="of bare networks")
    parser.add_argument("--steps", type=int, default=150, help="of the learning check")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    device = torch.device(options.device)
    with ray_session(num_cpus=1):
        own = [rounds(agents, copies, device) for agents in options.agents for copies in options.copies]
    bare = [
        rates(agents, batch, precision, device)
        for precision in ("fp32", "bf16")
        for agents in options.agents
        for batch in options.batches
    ]
    results = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "rounds": own,
        "rates": bare,
        "accuracy": {precision: accuracy(precision, device, options.steps) for precision in ("fp32", "bf16")},
        "machine": machine_facts(),
    }
    print(f"device {results['device']}")
    for row in [*own, *bare]:
        values = (f"{value:,.3g}" if isinstance(value, float) else str(value) for value in row.values())
        print(", ".join(f"{key} {value}" for key, value in zip(row, values, strict=True)))
    print(f"accuracy {results['accuracy']}")
    if options.json is not None:
        write_json(options.json, results)
    return results


if __name__ == "__main__":
    main()
