from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.training.builders import CORPORA, TEACHER, write_recipe
from wanglou.agents.commands import main
from wanglou.agents.commands.shared import ExitCode
from wanglou.models.bert_opinion import BertOpinion

STAGES = [TEACHER | {"epochs": 1, "layers": [0]}]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(data: Path, encoder: Path, *arguments: str, **fields: object) -> Result:
    path = write_recipe(Path("recipe.yaml"), **{"stages": STAGES, **fields})
    options = ["--data", str(data), "--encoder", str(encoder), "--recipe", str(path)]
    return CliRunner().invoke(main, ["train", *options, "--cores", "2", *arguments])


def test_train_writes_a_model(shared_data: Path, encoder_folder: Path) -> None:
    result = train(shared_data, encoder_folder, "--work", "a/stages", "--out", "b/out")
    assert result.exit_code == ExitCode.DONE, result.output
    assert "teacher, epoch 1" in result.stdout
    BertOpinion(Path("b/out"))
    again = train(shared_data, encoder_folder, "--work", "a/stages", "--out", "b/out")
    assert f"teacher is done: {Path('a/stages/teacher')}" in again.stdout


def test_folders_of_its_own_where_none_are_given(shared_data: Path, encoder_folder: Path) -> None:
    result = train(shared_data, encoder_folder)
    assert result.exit_code == ExitCode.DONE, result.output
    assert Path(".wanglou/model/model.safetensors").is_file()
    assert Path(".wanglou/training/manifest.json").is_file()


def test_what_training_needs_is_asked_for_before_hours_of_it(
    shared_data: Path, encoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)  # as if it were not there
    result = train(shared_data, encoder_folder)
    assert result.exit_code == ExitCode.SETTINGS
    assert result.stderr == "wanglou: scikit-learn is missing: pip install 'wanglou[train]'\n"
    assert not Path(".wanglou").exists()


def test_missing_file_of_the_encoder(shared_data: Path, encoder_folder: Path) -> None:
    shutil.copytree(encoder_folder, "encoder")
    Path("encoder/tokenizer.json").unlink()
    result = train(shared_data, Path("encoder"))
    assert result.exit_code == ExitCode.SETTINGS
    assert result.stderr == (
        "wanglou: encoder/tokenizer.json: no such file; --encoder names a BERT encoder\n"
    )


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"unmark": 2}, "wanglou: recipe.yaml: unmark: Input should be less than or equal to 1"),
        ({"stages": [TEACHER | {"layers": [7]}]}, "wanglou: layers: "),
        ({"corpora": [CORPORA[0] | {"train": "none"}]}, "none: No such file or directory"),
    ],
)
def test_what_is_wrong_in_recipe_or_data_is_said(
    shared_data: Path, encoder_folder: Path, fields: dict[str, object], problem: str
) -> None:
    result = train(shared_data, encoder_folder, **fields)
    assert result.exit_code == ExitCode.SETTINGS
    assert problem in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("option", ["--data", "--encoder", "--recipe"])
def test_missing_folder_is_wrong_usage(
    shared_data: Path, encoder_folder: Path, option: str
) -> None:
    result = train(shared_data, encoder_folder, option, "nowhere")
    assert result.exit_code == ExitCode.USAGE
    assert "'nowhere' does not exist" in result.stderr
