"""Slurm with two machines on this one: its real daemons, each machine in namespaces of its own.

Machines have their own network, processes, host name and /tmp/ray, and share all files with this one. Needs
root, Debian's packages slurm-wlm, munge and iproute2, and a kernel that lets root make namespaces.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "ip", "unshare")
#: Where Debian has daemons.
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
MISSING = [name for name in NEEDED if shutil.which(name, path=_PATH) is None]
_CONTROLLER = "lase-ctl"
MACHINES = ("lase-n1", "lase-n2")

_CONFIG = """\
ClusterName=lase
SlurmctldHost=lase-ctl(10.213.77.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SlurmdParameters=config_overrides
MpiDefault=none
NodeName=lase-n1 NodeAddr=10.213.77.2 CPUs=8 RealMemory=16384
NodeName=lase-n2 NodeAddr=10.213.77.3 CPUs=8 RealMemory=16384
PartitionName=main Nodes=lase-n1,lase-n2 Default=YES MaxTime=INFINITE State=UP
"""
_HOSTS = "127.0.0.1 localhost\n10.213.77.1 lase-ctl\n10.213.77.2 lase-n1\n10.213.77.3 lase-n2\n"
#: What a machine does: it has a name, knows the others, keeps Ray's files apart, and buries its dead.
_MACHINE = """\
hostname {name}
mount --bind {folder}/hosts /etc/hosts
mkdir -p /tmp/ray {folder}/ray-{name} && mount --bind {folder}/ray-{name} /tmp/ray
{command} &
wait
"""


@dataclass(frozen=True)
class Slurm:
    """A cluster that is up.

    Attributes:
        env: What its commands need in their environment.
    """

    env: dict[str, str]

    def run(self, *words: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """Runs one of Slurm's commands where the controller is."""
        command = ["ip", "netns", "exec", _CONTROLLER, *words]
        return subprocess.run(
            command, check=False, env=self.env, capture_output=True, text=True, timeout=seconds
        )

    def processes(self, machine: str) -> set[str]:
        """The names of the processes that run on a machine."""
        pids = subprocess.run(["ip", "netns", "pids", machine], check=True, capture_output=True, text=True)
        listed = ["ps", "-o", "comm=", "-p", ",".join(pids.stdout.split())]
        names = subprocess.run(listed, check=False, capture_output=True, text=True).stdout
        return {name.strip() for name in names.splitlines()}


@contextlib.contextmanager
def slurm_cluster(folder: Path, env: dict[str, str]) -> Iterator[Slurm]:
    """Starts it, and ends all of it.

    Args:
        folder: For its files, outside of /tmp/ray.
        env: Environment of jobs.
    """
    env = {**env, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{env['PATH']}:/usr/sbin:/sbin"}
    for name in ("state", *(f"spool-{machine}" for machine in MACHINES)):
        (folder / name).mkdir()
    (folder / "slurm.conf").write_text(_CONFIG.format(folder=folder))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
    (folder / "hosts").write_text(_HOSTS)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    with contextlib.ExitStack() as stack:
        stack.callback(_disconnect)
        _connect()
        files = {
            "key-file": "key",
            "socket": "socket",
            "pid-file": "pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        munge = [f"--{option}={folder}/munge.{name}" for option, name in files.items()]
        stack.enter_context(_daemon(["munged", "--foreground", "--force", *munge], folder / "munge.out", env))
        for name in (_CONTROLLER, *MACHINES):
            command = "slurmctld -D" if name == _CONTROLLER else f"slurmd -D -N {name}"
            script = _MACHINE.format(name=name, folder=folder, command=command)
            apart = "unshare --uts --mount --ipc --pid --fork --kill-child --mount-proc bash -ec"
            words = ["ip", "netns", "exec", name, *apart.split(), script]
            stack.enter_context(_daemon(words, folder / f"{name}.out", env))
        slurm = Slurm(env)
        _wait_until_idle(slurm, folder)
        yield slurm


def _connect() -> None:
    """A network of machines, of which this one is none."""
    lines = ["link add lasebr type bridge", "link set lasebr up"]
    for number, name in enumerate((_CONTROLLER, *MACHINES), start=1):
        inside = f"netns exec {name} ip"
        lines += [
            f"netns add {name}",
            f"link add lase{number} type veth peer name eth0 netns {name}",
            f"link set lase{number} master lasebr up",
            f"{inside} addr add 10.213.77.{number}/24 dev eth0",
            f"{inside} link set eth0 up",
            f"{inside} link set lo up",
        ]
    for line in lines:
        subprocess.run(["ip", *line.split()], check=True, capture_output=True, text=True)


def _disconnect() -> None:
    """Removes what there is of the network."""
    for name in (_CONTROLLER, *MACHINES):
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    subprocess.run(["ip", "link", "delete", "lasebr"], check=False, capture_output=True)


@contextlib.contextmanager
def _daemon(words: Sequence[str], log: Path, env: dict[str, str]) -> Iterator[None]:
    """A daemon, ended by process id at the end; with it all processes of its machine."""
    with log.open("w") as out:
        process = subprocess.Popen(words, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _wait_until_idle(slurm: Slurm, folder: Path, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while (states := slurm.run("sinfo", "-h", "-N", "-o", "%T").stdout.split()) != ["idle"] * len(MACHINES):
        if time.monotonic() > end:
            logs = "\n".join(f"{log.name}: {log.read_text()[-500:]}" for log in sorted(folder.glob("*.out")))
            raise RuntimeError(f"Slurm's machines are {states or 'not known'} after {seconds} s\n{logs}")
        time.sleep(0.5)
