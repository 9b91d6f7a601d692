import json

from benchmarks.gpu import main


def test_rounds_and_bare_networks_are_measured_and_bf16_learns_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.gpu.MIN_SECONDS", 0.01)
    path = tmp_path / "gpu.json"
    sizes = "--agents 2 --copies 4 --batches 8 --steps 100"
    main(["--json", str(path), "--device", "cpu", *sizes.split()])
    results = json.loads(path.read_text())
    assert results["device"] == "cpu"
    (own,) = results["rounds"]
    assert own["sampling_agent_steps_per_second"] > own["whole_agent_steps_per_second"] > 0
    assert [row["precision"] for row in results["rates"]] == ["fp32", "bf16"]
    for row in results["rates"]:
        assert row["sampling_agent_steps_per_second"] > row["training_agent_steps_per_second"] > 0
        assert "training_gpu_share" not in row, "a CPU is no GPU"
    learnt = results["accuracy"]
    assert learnt["fp32"] > 0.3, "chance is about 0.14"
    assert abs(learnt["bf16"] - learnt["fp32"]) < 0.1
