"""How fast bare networks are on a device: agent steps per second of two kinds of work, by batch and agents.

Run:

    OMP_NUM_THREADS=1 PYTHONHASHSEED=0 python -m benchmarks.gpu --json gpu.json

A minute on a CPU, less on a GPU; `--device` chooses, a GPU if there is one. The networks are those of
Cleanup 5x5 windows (conv16-conv32-fc128, one per agent), the data are random, and neither a game nor our
learner runs: only the networks' time is measured. "sampling" is a forward pass of all agents without
gradients, "training" a forward and backward pass of a simple loss with an Adam step. In a run learning is
on a GPU with num_gpus_per_learner, acting with num_gpus_per_env_runner; games step on the CPU. On a GPU
each figure comes with the share of the time in which it worked (the kernels' time that torch.profiler sees
in one more call, over the wall time of a call); on a CPU that is left out. Last, a check that bf16 learns
as fp32 does: the same policy learns the same labels in both, and the accuracies are reported.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.benchmark import Timer

from benchmarks.timing import machine_facts, write_json
from rllib_lase.networks import PolicyNet
from rllib_lase.rllib.acting import GroupActor

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


def measure(work: Callable[[], None], device: torch.device) -> tuple[float, float | None]:
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


def rates(agents: int, batch: int, precision: str, device: torch.device) -> dict[str, Any]:
    """Agent steps per second of both kinds of work."""
    generator = torch.Generator().manual_seed(1)
    obs = (torch.rand(agents, batch, *OBS_SHAPE, generator=generator) < 0.2).float().to(device)
    actions = torch.randint(NUM_ACTIONS, (agents, batch), generator=generator).to(device)
    nets = make_nets(agents, device)
    row: dict[str, Any] = {"agents": agents, "batch": batch, "precision": precision}
    works = {
        "sampling": sampling(nets, obs, precision),
        "training": training(nets, obs, actions, precision),
    }
    for name, work in works.items():
        seconds, busy = measure(work, device)
        row[f"{name}_agent_steps_per_second"] = agents * batch / seconds
        if busy is not None:
            row[f"{name}_gpu_share"] = busy
    return row


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
    parser = argparse.ArgumentParser(description="Speed of the learner's device.")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, help="cuda or cpu [a GPU if there is one]")
    parser.add_argument("--batches", type=int, nargs="*", default=[64, 512, 4096])
    parser.add_argument("--agents", type=int, nargs="*", default=[2, 4, 8])
    parser.add_argument("--steps", type=int, default=150, help="of the learning check")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    device = torch.device(options.device)
    rows = [
        rates(agents, batch, precision, device)
        for precision in ("fp32", "bf16")
        for agents in options.agents
        for batch in options.batches
    ]
    results = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "rates": rows,
        "accuracy": {precision: accuracy(precision, device, options.steps) for precision in ("fp32", "bf16")},
        "machine": machine_facts(),
    }
    print(f"device {results['device']}")
    for row in rows:
        values = (f"{value:,.3g}" if isinstance(value, float) else str(value) for value in row.values())
        print(", ".join(f"{key} {value}" for key, value in zip(row, values, strict=True)))
    print(f"accuracy {results['accuracy']}")
    if options.json is not None:
        write_json(options.json, results)
    return results


if __name__ == "__main__":
    main()
