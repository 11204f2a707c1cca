"""What converters measured: kept while they measure, brought back to whoever measures next, read by nobody between."""

import msgspec
import pytest

from builders import convert_request
from modelport.errors import ModelportError
from modelport.frameworks import CONVERTERS
from modelport.frameworks.tvm import TvmOptions
from modelport.jobs.containers import containers_of
from modelport.jobs.requests import Hop
from modelport.steps.runner import Context
from modelport.storage.store import open_store
from modelport_converter.steps import publish, tuning
from modelport_converter.tasks import TUNING

NAME = "onnx-to-tvm/0.27-x86-64-v3-1"
HOPS = [
    Hop(converter="a-to-onnx", source="a", target="onnx", image="a@1"),
    Hop(converter="onnx-to-tvm", source="onnx", target="tvm", image="tvm@1", tuning=NAME),
]


@pytest.fixture
def scene(tmp_path):
    """Return a store, and the context of step publish beside the folder that hop-2 measures into."""
    (tmp_path / "secrets" / "store").mkdir(parents=True)
    uri = f"file://{tmp_path / 'store'}"
    (tmp_path / "secrets" / "store" / "uri").write_text(uri)
    context = Context("publish", convert_request(hops=HOPS), tmp_path / "work", tmp_path / "secrets")
    folder = context.out_of("hop-2") / TUNING
    folder.mkdir(parents=True)
    return open_store({"uri": uri}), context, folder


def test_measuring_has_a_name_by_the_machine_it_is_for():
    assert CONVERTERS["onnx-to-tvm"].options().tuning_key() == ""
    assert TvmOptions(tuning_trials=9, cpu="x86-64-v3").tuning_key() == "0.27-x86-64-v3-1"
    assert TvmOptions(tuning_trials=99, cpu="x86-64-v3").tuning_key() == "0.27-x86-64-v3-1"


def test_publish_alone_sees_the_folder_of_a_hop_that_measures():
    images = {"converter-onnx": "onnx@1", "server-tvm": "tvm@2"}
    request = convert_request(source_format="onnx", target_format="tvm", hops=HOPS)
    reads = {each.name: each.reads for each in containers_of(request, images)}
    assert reads["publish"] == ("try", "judge", "hop-2")
    without = msgspec.structs.replace(request, hops=[HOPS[0], msgspec.structs.replace(HOPS[1], tuning="")])
    assert {each.name: each.reads for each in containers_of(without, images)}["publish"] == ("try", "judge")


def test_whole_lines_are_kept_as_they_come_and_brought_back(scene, tmp_path):
    store, context, folder = scene
    (folder / "records.json").write_text("first\nsec")
    publish.meanwhile(context)
    assert store.read(f"tuning/{NAME}/records.json") == b"first\n"
    (folder / "records.json").write_text("first\nsecond\n")
    publish.meanwhile(context)
    assert tuning.fetch_tuning(store, NAME, tmp_path / "next") == 1
    assert (tmp_path / "next" / "records.json").read_text() == "first\nsecond\n"


def test_nothing_is_there_before_the_first(scene, tmp_path):
    assert tuning.fetch_tuning(scene[0], NAME, tmp_path / "next") == 0
    assert list((tmp_path / "next").iterdir()) == []


def test_what_is_no_plain_file_is_told_and_not_kept(scene, capsys):
    store, context, folder = scene
    (folder / "records.json").symlink_to("/etc/passwd")
    publish.meanwhile(context)
    assert "what was measured is not kept: " in capsys.readouterr().err
    assert store.list("tuning/") == []


def test_names_and_sizes_are_bounded(scene, tmp_path, monkeypatch):
    store, context, folder = scene
    monkeypatch.setattr(tuning, "MAX_BYTES", 4)
    for name, content in ((".hidden", "a\n"), ("fits", "abc\n"), ("deep/er", "a\n")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    tuning.keep_tuning(store, context)
    assert store.list("tuning/") == [(f"tuning/{NAME}/fits", 4)]
    store.upload(f"tuning/{NAME}/large", b"12345")
    store.upload(f"tuning/{NAME}/de/ep", b"1")
    assert tuning.fetch_tuning(store, NAME, tmp_path / "next") == 1
    (folder / "fits").write_text("abcd\n")
    with pytest.raises(ModelportError, match="at most 4 bytes"):
        tuning.keep_tuning(store, context)


def test_nobody_asks_the_store_where_nothing_is_measured(scene):
    _, context, _ = scene
    request = convert_request(hops=[HOPS[0]])
    publish.meanwhile(context._replace(request=request, credentials_root=context.work / "absent"))
