import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from html_pages import check_page

from mien.datasets import PreparedSet
from mien.errors import RecipeError
from mien.evaluation.evaluate import evaluate
from mien.studies import paper
from mien.studies.comparison import compare_curves, compare_tables, findings
from mien.studies.comparison_report import write_comparison
from mien.studies.methods import Method, study_methods
from mien.studies.reproduce import reproduce_paper
from mien.training.loop import Progress
from mien.training.recipe import load_recipe
from mien.training.train import train


@pytest.mark.parametrize("preset", ["quick", "full"])
def test_the_methods_of_a_preset_differ_as_the_paper_says(preset: str) -> None:
    methods = study_methods(preset)  # type: ignore[arg-type]
    recipes = {key: load_recipe(method.recipe, method.settings) for key, method in methods.items()}
    assert {key for key, recipe in recipes.items() if recipe.method != "network"} == {
        "landmark-svm", "displacement-svm", "lda",
    }  # fmt: skip
    assert (recipes["fused-half"].training.loss, recipes["cross-entropy"].training.loss) == ("hinge", "cross-entropy")
    assert not recipes["cnn"].network.geometric
    assert recipes["fused-half"].network.dropout == recipes["cross-entropy"].network.dropout == 0.5
    if preset == "full":
        assert recipes["fused"] == load_recipe("paper")
        assert all(recipe.training.loss == "hinge" for key, recipe in recipes.items() if key != "cross-entropy")


@pytest.mark.slow
def test_a_report_has_the_papers_figure_in_every_cell_and_says_what_is_missing(
    prepared: PreparedSet, tmp_path: Path
) -> None:
    methods = study_methods("quick")
    parts = {"validation": prepared.select("validation", "train"), "test": prepared.select("test")}
    results = {}
    for key in ("landmark-svm", "displacement-svm"):
        run = tmp_path / key
        train(prepared, run, load_recipe(methods[key].recipe, methods[key].settings))
        results[key] = {name: evaluate({key: run}, part)[0] for name, part in parts.items()}
    names = {key: method.name for key, method in methods.items()}
    missing = {"fused-1200": "prepare the set with --landmark-size 1200"}
    content = write_comparison(tmp_path, "Synthetic <faces>.", {"Preset": "none"}, parts, results, names, missing)
    assert json.loads((tmp_path / "report.json").read_text()) == content
    tables = content["tables"]
    cell = tables["table_1"]["rows"]["displacement SVM"]["validation"]
    result = results["displacement-svm"]["validation"]
    assert cell["paper"] == 84.957143
    assert cell["ours"] == pytest.approx(result.misclassification, abs=1e-4)
    low, high = cell["interval"]
    assert low <= cell["ours"] <= high
    assert tables["table_1"]["rows"]["fused"]["test"] == {"paper": 80.212137, "ours": None, "why": "not trained"}
    fine = tables["table_2"]["rows"][names["fused-1200"]]
    assert [fine[f"top-{k}"]["paper"] for k in range(1, 6)] == list(paper.TABLE_II["fused-1200"])
    assert {cell["why"] for cell in fine.values()} == {"prepare the set with --landmark-size 1200"}
    assert set(content["figures"]) == {*(f"figure_{number}" for number in range(6, 11)), "all_networks"}
    page = check_page(tmp_path / "report.html")
    assert "Synthetic <faces>." in page.text
    assert "prepare the set with --landmark-size 1200" in page.text
    assert f"{low:.2f} to {high:.2f}" in page.text
    assert "paper: 84.96" in page.text
    assert page.text.count("Not trained.") == 6
    shares = [results[key]["test"].accuracies[0] for key in ("displacement-svm", "landmark-svm")]
    assert f"(test photos: {shares[0]:.3f} against {shares[1]:.3f}" in findings(results, parts)[0]
    assert compare_tables(results, names, missing)[0].rows["fused"][0].ours is None
    assert compare_curves(results, names)[0].paper == {"validation": 3.5736}


def test_settings_do_not_change_what_a_method_is_and_a_wrong_one_is_refused_at_once(
    prepared: PreparedSet, tmp_path: Path
) -> None:
    methods = study_methods("full", ("network.visual=compact", "network.dropout=0.3", "training.loss=hinge"))
    recipes = {key: load_recipe(method.recipe, method.settings) for key, method in methods.items()}
    assert recipes["fused"].network.visual == "compact"
    assert recipes["geometric"].network.visual == "none"
    assert (recipes["fused"].network.dropout, recipes["fused-half"].network.dropout) == (0.3, 0.5)
    assert recipes["cross-entropy"].training.loss == "cross-entropy"
    with pytest.raises(RecipeError) as refused:
        reproduce_paper(prepared, tmp_path / "out", "quick", ("training.iteration=5",))
    assert refused.value.key == "training.iteration"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_network_that_diverges_and_a_test_part_without_labels_are_left_out(
    prepared: PreparedSet, tmp_path: Path
) -> None:
    folder = tmp_path / "prepared"
    shutil.copytree(prepared.path, folder)
    table = pl.read_parquet(folder / "samples.parquet").with_columns(
        landmarks_crop_1200=pl.col("landmarks_crop"),
        label=pl.when(pl.col("split") != "test").then("label"),
    )
    table = table.with_columns(  # one photo's fine landmarks are no numbers
        landmarks_crop_1200=pl.when(pl.col("path") != "0/3.jpg")
        .then("landmarks_crop_1200")
        .otherwise(pl.lit([float("nan")] * 136, dtype=table["landmarks_crop"].dtype))
    )
    table.write_parquet(folder / "samples.parquet")
    settings = ("training.iterations=2", "training.validate_every=1", "training.batch_size=4", "training.warmup=0")
    fine_set = PreparedSet.open(folder)
    content = reproduce_paper(fine_set, tmp_path / "out", "quick", settings, "Synthetic faces.", ("fused-1200",))
    names = {key: method.name for key, method in study_methods("quick").items()}
    fine = content["tables"]["table_2"]["rows"][names["fused-1200"]]["top-1"]
    assert fine["ours"] is None
    assert fine["why"] == "the loss is nan at step 1"
    fused = content["tables"]["section_3"]["rows"]["fused"]
    assert fused["validation"]["ours"] is not None
    assert fused["test"]["why"] == "no test part"


@pytest.mark.slow
def test_the_whole_study_goes_on_after_a_kill_and_trains_nothing_twice(prepared: PreparedSet, tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    shutil.copytree(prepared.path, folder)
    table = pl.read_parquet(folder / "samples.parquet")
    table.with_columns(landmarks_crop_1200=pl.col("landmarks_crop")).write_parquet(folder / "samples.parquet")
    fine = PreparedSet.open(folder)
    settings = ("training.iterations=2", "training.validate_every=1", "training.batch_size=4", "training.warmup=0")
    started: list[str] = []

    def stop(method: Method, progress: Progress | None) -> None:
        started.append(method.key)
        if method.key == "fused" and progress is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce_paper(fine, tmp_path / "out", "quick", settings, "Synthetic faces.", report=stop)
    content = reproduce_paper(fine, tmp_path / "out", "quick", settings, "Synthetic faces.")
    for table_ in content["tables"].values():
        for row in table_["rows"].values():
            assert all(cell["ours"] is not None for cell in row.values())
    for figure in content["figures"].values():
        assert all(curve["iteration"] == [1, 2] for curve in figure["ours"].values())

    def forbid(method: Method, progress: Progress | None) -> None:
        assert progress is None, f"{method.name} trains again"

    assert reproduce_paper(fine, tmp_path / "out", "quick", settings, "Synthetic faces.", report=forbid) == content
