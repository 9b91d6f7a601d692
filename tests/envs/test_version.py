import importlib.metadata

import pytest

import mixed_motive


def test_the_version_is_that_of_the_distribution(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", {"rllib-lase": "7.8.9"}.__getitem__)
    assert mixed_motive.__version__ == "7.8.9"


def test_sources_that_are_not_installed_have_no_version_and_say_so(monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(AttributeError, match=r"rllib-lase is not installed. Cure, .* pip install \."):
        _ = mixed_motive.__version__
    assert not hasattr(mixed_motive, "__version__")
