"""The `sourcier` command as a user meets it: one line for each mistake, results on stdout, nothing heavy for --help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes import FakeEmbedder
from tiny_gguf import plain_model

import index.commands
import index.search_command
from index.articles import _READERS
from index.build import build as build_index
from index.errors import ArticleError
from index.search import Index
from qa.suggestions import Suggestion, SuggestionFile, articles_on_disk, digest_of_article
from web import commands
from web.commands import sourcier
from web.settings import Settings


def run(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from web.commands import main; main()", *arguments],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "pont.md").write_text("# Le pont\n\nLe pont des Tanneurs a rouvert vendredi.", encoding="utf-8")
    build_index([folder], tmp_path / "home", FakeEmbedder(), "fake")
    return tmp_path / "home"


@pytest.mark.parametrize(
    "command", [(), ("build",), ("ask",), ("serve",), ("eval",), ("search",), ("prefill",), ("suggest",)]
)
def test_help_loads_no_model_library(command: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        "import sys; from web.commands import sourcier\n"
        f"try: sourcier([*{command!r}, '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'llama_cpp', 'sentence_transformers', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [("search", "pont"), ("ask", "Quand ?"), ("info",), ("rollback",)])
def test_without_an_index_it_says_how_to_make_one(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "sourcier build" in done.stderr


def test_serve_without_index_and_corpus_says_what_to_do(tmp_path: Path) -> None:
    tiny = tmp_path / "model.gguf"
    tiny.write_bytes(b"GGUF" + bytes(60))
    done = run("serve", "--language-model", str(tiny), cwd=tmp_path)
    assert done.returncode == 1
    assert "sourcier build" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_named(home: Path, tmp_path: Path) -> None:
    done = run("ask", "Quand ?", "--home", str(home), cwd=tmp_path, SOURCIER_PORT="eighty")
    assert done.returncode == 1
    assert done.stderr.startswith("sourcier: SOURCIER_PORT='eighty'")


def test_info_prints_facts_and_json(home: Path) -> None:
    result = CliRunner().invoke(sourcier, ["info", "--home", str(home)])
    assert "1 (fr)" in result.stdout
    manifest = json.loads(CliRunner().invoke(sourcier, ["info", "--home", str(home), "--json"]).stdout)
    assert manifest["articles"] == 1


def test_build_and_search_with_an_embedder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in (index.commands, index.search_command):
        monkeypatch.setattr(room, "load_embedder", lambda _: (FakeEmbedder(), "fake"))
    (tmp_path / "articles" / "broken.jsonl").write_text("{not json", encoding="utf-8")
    (tmp_path / "articles" / "cidre.md").write_text("# Le cidre\n\nLa récolte est bonne.", encoding="utf-8")
    runner = CliRunner()
    built = runner.invoke(sourcier, ["build", str(tmp_path / "articles"), "--home", str(home), "--json"])
    report = json.loads(built.stdout)
    assert (report["articles"], report["embedded"]) == (2, 2)
    assert [error["path"].rsplit("/", 1)[-1] for error in report["left_out"]] == ["broken.jsonl:1"]
    assert "broken.jsonl" in built.stderr
    found = json.loads(runner.invoke(sourcier, ["search", "récolte", "--home", str(home), "--json"]).stdout)
    assert found["hits"][0]["article_id"] == "cidre.md"


def test_strict_stops_at_the_first_unreadable_file_and_changes_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index.commands, "load_embedder", lambda _: (FakeEmbedder(), "fake"))
    before = {path: path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}
    (tmp_path / "articles" / "a.pdf").write_bytes(b"no PDF")
    (tmp_path / "articles" / "b.docx").write_bytes(b"no document")
    done = CliRunner().invoke(sourcier, ["build", str(tmp_path / "articles"), "--home", str(home), "--strict"])
    assert done.exit_code == 1
    assert isinstance(done.exception, ArticleError)  # which main() prints on one line
    assert str(done.exception) == f"{tmp_path / 'articles' / 'a.pdf'}: not a PDF, whatever its name says"
    assert {path: path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()} == before
    built = CliRunner().invoke(sourcier, ["build", str(tmp_path / "articles"), "--home", str(home), "--json"])
    assert [fact["path"].rpartition("/")[2] for fact in json.loads(built.stdout)["left_out"]] == ["a.pdf", "b.docx"]


def test_strict_ends_a_real_process_with_one_line(home: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import index.commands; from fakes import FakeEmbedder\n"
        "index.commands.load_embedder = lambda _: (FakeEmbedder(), 'fake')\n"
        "from web.commands import main; main()"
    )
    (tmp_path / "a.pdf").write_bytes(b"no PDF")
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), "build", "a.pdf", "--strict", "--home", str(home)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "sourcier: a.pdf: not a PDF, whatever its name says\n"


def test_build_reads_stdin_and_lists(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.commands, "load_embedder", lambda _: (FakeEmbedder(), "fake"))
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def built(*arguments: str, stdin: str) -> list[str]:
        done = runner.invoke(sourcier, ["build", *arguments, "--home", str(home)], input=stdin)
        assert done.exit_code == 0, done.output
        index = Index(home, FakeEmbedder())
        found = [article.id for article in index.articles(0, 100)]
        index.close()
        return sorted(found)

    lines = '{"text": "Le cidre."}\n\n{"id": "x", "text": "La crue."}\n'
    assert built("-", "articles", stdin=lines) == ["pont.md", "stdin#1", "x"]
    assert built("--list", "-", stdin="articles/pont.md\n") == ["articles/pont.md"]
    (tmp_path / "list").write_text("articles\n")
    assert built("-", "--list", "list", stdin=lines) == ["articles/pont.md", "stdin#1", "x"]


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ([], "Give files or folders of articles, - for stdin, or --list FILE."),
        (["-", "--list", "-"], "Standard input can be read once"),
        (["--list", "list"], "A list names files and folders; give - on the command line."),
    ],
)
def test_what_build_cannot_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], advice: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list").write_text("-\n")
    done = CliRunner().invoke(sourcier, ["build", *arguments])
    assert done.exit_code == 2
    assert advice in done.stderr


def test_the_help_of_build_names_every_format() -> None:
    shown = CliRunner().invoke(sourcier, ["build", "--help"]).stdout
    assert {suffix for suffix in _READERS if f"{suffix} " not in shown} == set()


def test_rollback_goes_back(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.commands, "load_embedder", lambda _: (FakeEmbedder(), "fake"))
    (tmp_path / "articles" / "cidre.md").write_text("# Le cidre\n\nLa récolte est bonne.", encoding="utf-8")
    runner = CliRunner()
    runner.invoke(sourcier, ["build", str(tmp_path / "articles"), "--home", str(home)])
    assert "Generation 000001" in runner.invoke(sourcier, ["rollback", "--home", str(home)]).stdout
    assert json.loads(runner.invoke(sourcier, ["info", "--home", str(home), "--json"]).stdout)["articles"] == 1


def test_prefill_reads_ahead_and_states_go_with_their_passages(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index.commands, "load_embedder", lambda _: (FakeEmbedder(), "fake"))
    (tmp_path / "articles" / "cidre.md").write_text("# Le cidre\n\nLa récolte est bonne.", encoding="utf-8")
    runner = CliRunner()
    build = ["build", str(tmp_path / "articles"), "--home", str(home)]
    assert "stored KV states" not in runner.invoke(sourcier, build).stderr
    prefill = ["prefill", "--home", str(home), "--language-model", str(plain_model(tmp_path / "tiny.gguf")), "--json"]
    assert json.loads(runner.invoke(sourcier, [*prefill, "--most", "1"]).stdout) == {
        "read": 1, "stored": 1, "passages": 2, "full": False
    }  # fmt: skip
    assert json.loads(runner.invoke(sourcier, prefill).stdout)["read"] == 1
    assert json.loads(runner.invoke(sourcier, prefill).stdout) == {
        "read": 0, "stored": 2, "passages": 2, "full": False
    }  # fmt: skip
    assert len(list((home / "states").glob("*/??/*.state"))) == 3  # and that of what all prompts begin with

    (tmp_path / "articles" / "cidre.md").unlink()
    assert "Removed the stored KV states of 1 passages" in runner.invoke(sourcier, build).stderr
    assert len(list((home / "states").glob("*/??/*.state"))) == 2
    runner.invoke(sourcier, ["rollback", "--home", str(home)])
    assert json.loads(runner.invoke(sourcier, prefill).stdout)["read"] == 1


def test_the_sample_newspaper_comes_with_its_editors_questions(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = articles_on_disk(home)("pont.md")
    assert article
    asked = Suggestion(article.id, digest_of_article(article), "fr", "Quand le pont a-t-il rouvert ?", "accepted")
    SuggestionFile(tmp_path / "articles").add(asked, articles_on_disk(home))
    monkeypatch.setattr(commands, "SAMPLE_CORPUS", tmp_path / "articles")
    monkeypatch.setattr(commands, "language_model_file", lambda _: None)
    monkeypatch.setattr(commands, "load_embedder", lambda _: (FakeEmbedder(), "fake"))
    fresh = Settings(home=tmp_path / "fresh")
    commands._prepare(fresh)
    assert SuggestionFile(fresh.home).read() == [asked]
    assert SuggestionFile(fresh.home).judge(asked.question, "refused")
    commands._prepare(fresh)  # an index that is there is left alone, and so is what its editor said
    assert [one.state for one in SuggestionFile(fresh.home).read()] == ["refused"]
