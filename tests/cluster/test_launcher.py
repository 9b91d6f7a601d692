"""Ray's cluster launcher over a real SSH server on loopback, with cluster/on_premise.yaml."""

import contextlib
import getpass
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
import yaml

from tests.cluster.files import ROOT, load
from tests.cluster.local_ray import call, free_ports, own_home, start_options

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
NEEDED = {"sshd": SSHD, "ssh": shutil.which("ssh"), "rsync": shutil.which("rsync")}
MISSING = [name for name, path in NEEDED.items() if path is None]
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (openssh-server, rsync)"),
]


@contextlib.contextmanager
def ssh_server(home: Path) -> Iterator[int]:
    """A server for this user alone, with keys of its own, whose sessions have that home."""
    (port,) = free_ports(1)
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name], check=True)
    config = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": home / "host_key",
        "AuthorizedKeysFile": home / "key.pub",
        "AllowUsers": getpass.getuser(),
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "StrictModes": "no",
        "PidFile": "none",
        "SetEnv": f"HOME={home} RAY_TMPDIR={home / 'ray'} OMP_NUM_THREADS=1",
    }
    (home / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in config.items()))
    assert SSHD is not None
    with (home / "sshd.log").open("w") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(home / "sshd_config")], stderr=log)
    try:
        time.sleep(1)
        if server.poll() is not None:
            pytest.skip(f"sshd does not start here: {(home / 'sshd.log').read_text().strip()}")
        yield port
    finally:
        server.terminate()
        server.wait()


def on_this_machine(home: Path, port: int) -> Path:
    """The file for machines that one has, with this one as the head and without `ray stop`."""
    config = load("on_premise.yaml")
    _, options = start_options(home)
    config["provider"] |= {"head_ip": ray.util.get_node_ip_address(), "worker_ips": []}
    config |= {"max_workers": 0, "min_workers": 0, "cluster_name": home.name}
    relay = f"exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & cat >&3; kill $!"
    config["auth"] = {
        "ssh_user": getpass.getuser(),
        "ssh_private_key": str(home / "key"),
        "ssh_proxy_command": f"bash -c '{relay}'",
    }
    # What is installed already takes the place of what would be.
    config["setup_commands"] = [f"ln -sfn {sys.prefix} ~/lase/venv", config["setup_commands"][-1]]
    stop, start = config["head_start_ray_commands"]
    assert stop == "ray stop"
    assert "--port=6379" in start
    config["head_start_ray_commands"] = [start.replace("--port=6379", " ".join(options))]
    file = home / "cluster.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def test_ray_up_exec_and_submit_reach_a_machine_by_ssh(tmp_path: Path) -> None:
    with own_home() as (home, env), ssh_server(home) as port:
        file = on_this_machine(home, port)
        options = ["--no-config-cache", str(file)]
        up = call(env, "ray", "up", "-y", *options, cwd=ROOT)
        assert up.returncode == 0, up.stdout
        assert (home / "lase" / "constraints.txt").read_text() == (ROOT / "constraints.txt").read_text()
        # Where other clusters run, too, Ray has to be told which one is meant.
        head = yaml.safe_load(file.read_text())
        (gcs,) = re.findall(r"--port=(\d+)", head["head_start_ray_commands"][0])
        address = f"{head['provider']['head_ip']}:{gcs}"
        status = call(env, "ray", "exec", *options, f"ray status --address {address}")
        assert status.returncode == 0, status.stdout
        assert "0.0/2.0 CPU" in status.stdout
        script = tmp_path / "count.py"
        script.write_text("import ray, sys\nray.init(sys.argv[1])\nprint(ray.cluster_resources())\n")
        done = call(env, "ray", "submit", *options, str(script), "--", address)
        assert done.returncode == 0, done.stdout
        assert "'CPU': 2.0" in done.stdout
