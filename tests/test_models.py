from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from mien.datasets import PreparedSet
from mien.errors import CheckpointError
from mien.evaluation.metrics import top_accuracies
from mien.models.checkpoint import load_linear, load_network, save_linear, save_network
from mien.models.export import export_onnx
from mien.models.linear import LINEAR_FITS, fit_svm
from mien.models.losses import cross_entropy, hinge
from mien.models.network import NetworkConfig, build_network

CONFIGS = [
    NetworkConfig(visual="alexnet"),
    NetworkConfig(visual="compact", head="direct"),
    NetworkConfig(visual="compact", geometric=False),
    NetworkConfig(visual="none"),
]


def _inputs(count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (count, 224, 224, 3), dtype=torch.uint8, generator=chance)
    return crops, torch.randn(count, 136, generator=chance)


def test_the_paper_network_has_the_published_parameters() -> None:
    network = build_network(NetworkConfig())
    counts = {name: p.numel() for name, p in network.named_parameters() if p.dim() > 1}
    assert list(counts.values()) == [
        96 * 3 * 11 * 11,
        256 * 48 * 5 * 5,
        384 * 256 * 3 * 3,
        384 * 192 * 3 * 3,
        256 * 192 * 3 * 3,
        256 * 256 * 6 * 6,
        256 * 392,
        50 * 256,
    ]
    biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
    assert all((bias == 0.1).all() for bias in biases)


def test_the_head_of_the_papers_text_is_one_layer() -> None:
    network = build_network(NetworkConfig(head="direct"))
    assert [tuple(p.shape) for p in network.head.parameters()] == [(50, 392), (50,)]


def test_hinge_agrees_with_a_hand_computation() -> None:
    scores = torch.zeros(2, 50)
    scores[0, 3] = 0.5  # true class: (1 - 0.5)^2; the 49 others: 1 each
    scores[1, 7] = 2.0  # a wrong class: (1 + 2)^2; 48 others: 1 each; the true one: 1
    loss = hinge(scores, torch.tensor([3, 1]))
    assert loss.item() == pytest.approx(((0.25 + 49) + (9 + 48 + 1)) / 2)
    assert hinge(torch.zeros(4, 50), torch.arange(4)).item() == 50


def test_cross_entropy_of_equal_scores_is_log_50() -> None:
    assert cross_entropy(torch.zeros(4, 50), torch.arange(4)).item() == pytest.approx(np.log(50))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_batch_scores_as_its_photos_do_one_by_one(config: NetworkConfig) -> None:
    torch.manual_seed(0)
    network = build_network(config).eval()
    crops, moved = _inputs()
    with torch.no_grad():
        together = network(crops, moved)
        alone = torch.cat([network(crops[i : i + 1], moved[i : i + 1]) for i in range(3)])
    assert together.shape == (3, 50)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_onnx_scores_as_torch_does_for_any_batch_size(config: NetworkConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(config).eval()
    export_onnx(network, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for count in (1, 5):
        crops, moved = _inputs(count)
        scores = session.run(["scores"], {"crops": crops.numpy(), "displacement": moved.numpy()})[0]
        with torch.no_grad():
            np.testing.assert_allclose(scores, network(crops, moved).numpy(), atol=1e-4)


def test_a_network_without_branches_is_refused() -> None:
    with pytest.raises(ValueError, match="branch"):
        build_network(NetworkConfig(visual="none", geometric=False))


def test_weights_survive_the_disk_and_damage_is_noticed(tmp_path: Path) -> None:
    config = NetworkConfig(visual="none")
    network = build_network(config)
    save_network(tmp_path, network.state_dict())
    for name, tensor in load_network(tmp_path, config).state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name])
    with pytest.raises(CheckpointError, match="another network"):
        load_network(tmp_path, NetworkConfig(visual="compact"))
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged"):
        load_network(tmp_path, config)


@pytest.mark.parametrize("method", LINEAR_FITS)
def test_linear_models_learn_displacement_and_survive_the_disk(
    prepared: PreparedSet, method: str, tmp_path: Path
) -> None:
    training, test = prepared.select("train"), prepared.select("test")
    model = LINEAR_FITS[method](training.displacement, training.labels)
    save_linear(tmp_path, model)
    scores = load_linear(tmp_path).scores(test.displacement)
    assert top_accuracies(scores, test.labels)[0] > 0.9


def test_two_classes_are_enough_and_others_never_win(prepared: PreparedSet) -> None:
    training = prepared.select("train")
    two = np.isin(training.labels, [4, 9])
    model = fit_svm(training.displacement[two], training.labels[two])
    predicted = model.scores(training.displacement).argmax(axis=1)
    assert set(predicted) == {4, 9}
    assert (predicted[two] == training.labels[two]).all()
