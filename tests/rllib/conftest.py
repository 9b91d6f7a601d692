"""One small local Ray for all tests that build algorithms."""

import pytest
import ray


@pytest.fixture(scope="session")
def local_ray():
    """A local Ray of three CPUs: enough for a driver, two env runners or one remote learner."""
    ray.init(
        address="local",
        num_cpus=3,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}},
    )
    yield
    ray.shutdown()
