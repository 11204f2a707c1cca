"""What converters measured outlives the run that measured it."""

from pathlib import Path

import pytest

from modelport_cli.local.workspace import open_workspace

RECORDS = "tuning/tvm/x86-64-v3-1/records.json"


@pytest.mark.parametrize("kept", [False, True])
def test_what_was_measured_is_there_for_the_next_run_however_the_first_one_ends(tmp_path, monkeypatch, kept):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    work = tmp_path / "work" if kept else None

    def run(added: str) -> str:
        with open_workspace(work) as workspace:
            records = workspace.store / RECORDS
            before = records.read_text() if records.exists() else ""
            records.parent.mkdir(parents=True, exist_ok=True)
            records.write_text(before + added)
            if added == "second\n":
                raise KeyboardInterrupt
        return before

    assert run("first\n") == ""
    with pytest.raises(KeyboardInterrupt):
        run("second\n")
    assert run("third\n") == "first\nsecond\n"
    assert sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()) == ["records.json"]


def test_what_another_run_copies_meanwhile_has_no_drafts(tmp_path, monkeypatch):
    """A draft that is gone by the time that it is read would end the other run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    seen, replace = [], Path.replace

    def look(draft: Path, target: Path) -> Path:
        seen.append([path.name for path in target.parent.iterdir()])
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", look)
    for _ in range(2):
        with open_workspace(None) as workspace:
            (workspace.store / RECORDS).parent.mkdir(parents=True, exist_ok=True)
            (workspace.store / RECORDS).write_text("measured\n")
    assert seen == [[], ["records.json"]]
