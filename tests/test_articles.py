"""Articles: each format, each trap of a corpus folder, and what hostile files do."""

import json
import os
import socket
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.articles import Article, read_articles
from index.errors import ArticleError
from index.formats import article_fields, article_formats, encodings
from index.formats.article_fields import clean_text
from index.formats.front_matter import split_front_matter

TEXT = "Le pont a rouvert samedi.\n\nLes habitants l’ont traversé à pied, sous la pluie."
FULL = Article(
    "pont-1", "Le pont : rouvert", TEXT, "fr", date(2025, 11, 8), "Léa Brun", "L’Écho", "https://echo.example/pont"
)
KEYS = {
    "id": FULL.id,
    "title": FULL.title,
    "published": "2025-11-08",
    "author": FULL.author,
    "source": FULL.source,
    "url": FULL.url,
    "language": "fr",
}


def read(*paths: Path) -> tuple[list[Article], list[str]]:
    """The articles, and the reasons of what could not be read."""
    found = list(read_articles(paths))
    return [a for a in found if isinstance(a, Article)], [e.reason for e in found if isinstance(e, ArticleError)]


def front_matter(**keys: object) -> str:
    lines = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())
    return f"---\n{lines}---\n\n"


def one(folder: Path, name: str, content: str | bytes) -> Article | str:
    """What one file gives: its article, or the reason why not."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    articles, reasons = read(path)
    assert len(articles) + len(reasons) == 1
    return (articles + reasons)[0]  # type: ignore[operator]


def article(folder: Path, name: str, content: str | bytes) -> Article:
    found = one(folder, name, content)
    assert isinstance(found, Article), found
    return found


def page(head: str = "", body: str = "", attributes: str = "") -> str:
    paragraphs = "".join(f"<p>{part}</p>" for part in TEXT.split("\n\n"))
    return (
        f"<!DOCTYPE html><html{attributes}><head>{head}</head><body><article>{paragraphs}{body}</article></body></html>"
    )


# Each format gives back what was written


@pytest.mark.parametrize("name", ["a.md", "a.txt"])
def test_front_matter_round_trip(tmp_path: Path, name: str) -> None:
    assert article(tmp_path, name, front_matter(**KEYS) + TEXT) == FULL


def test_jsonl_round_trip(tmp_path: Path) -> None:
    second = replace(FULL, id="pont-2", published=datetime(2025, 11, 8, 6, 30, tzinfo=UTC), author=None)
    lines = [{**KEYS, "text": TEXT}, {**KEYS, "text": TEXT, "id": "pont-2", "date": "2025-11-08T06:30:00Z"}]
    del lines[1]["published"], lines[1]["author"]
    (tmp_path / "a.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    assert read(tmp_path) == ([FULL, second], [])


def test_html_round_trip(tmp_path: Path) -> None:
    head = (
        '<title>Le pont : rouvert - L’Écho</title><meta name="author" content="Léa Brun">'
        '<meta property="og:title" content="Le pont : rouvert"><meta property="og:site_name" content="L’Écho">'
        '<meta property="article:published_time" content="2025-11-08">'
        '<link rel="canonical" href="https://echo.example/pont">'
    )
    assert article(tmp_path, "a.html", page(head, attributes=' lang="fr-FR"')) == replace(FULL, id="a.html")


def test_what_is_missing_is_found_in_the_text(tmp_path: Path) -> None:
    found = article(tmp_path, "pont.md", f"# Le pont  a rouvert #\n\n{TEXT}")
    assert (found.id, found.title, found.language) == ("pont.md", "Le pont a rouvert", "fr")
    assert found.text == f"# Le pont  a rouvert #\n\n{TEXT}"
    assert (found.published, found.author, found.source, found.url) == (None, None, None, None)


def test_title_of_a_text_without_one(tmp_path: Path) -> None:
    assert article(tmp_path, "a.txt", TEXT).title == "Le pont a rouvert samedi."
    assert article(tmp_path, "le-pont.txt", "mot " * 100).title == "le-pont"


# Folders


def test_a_folder_is_read_sorted_and_without_what_is_no_article(tmp_path: Path) -> None:
    for name in (
        "b/2.md",
        "b/1.txt",
        "a.TXT",
        "README.md",
        "LICENSE.txt",
        ".hidden.md",
        ".git/x.md",
        "b/questions.jsonl",
        "x.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TEXT)
    (tmp_path / "c.jsonl").write_text("".join(json.dumps({"text": TEXT}) + "\n" for _ in range(2)))
    articles, reasons = read(tmp_path)
    assert [found.id for found in articles] == ["a.TXT", "b/1.txt", "b/2.md", "c.jsonl#1", "c.jsonl#2"]
    assert reasons == []


def test_a_file_named_explicitly_is_read_whatever_its_name(tmp_path: Path) -> None:
    assert article(tmp_path, "README.md", TEXT).id == "README.md"
    known = ".atom .docx .epub .htm .html .jsonl .md .mht .mhtml .odt .pdf .rss .txt .xhtml .xml"
    assert one(tmp_path, "x.png", TEXT) == f"unknown format '.png'; known: {known}"


def test_links_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.md").write_text(TEXT)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    articles, reasons = read(tmp_path)
    assert [found.id for found in articles] == ["a/x.md"]
    assert reasons == ["no such file or folder"]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == ([], ["no such file or folder"])


def test_a_pipe_does_not_hold_up_the_build(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.md")
    assert read(tmp_path) == ([], ["neither a file nor a folder"])


def test_the_second_of_two_articles_with_one_id_is_reported(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(front_matter(id="x", title=name) + TEXT)
    articles, reasons = read(tmp_path)
    assert [found.title for found in articles] == ["a.md"]
    assert reasons == [f"same id as {tmp_path / 'a.md'}: x. Give one of them another id"]


def test_names_of_files_are_composed(tmp_path: Path) -> None:
    assert article(tmp_path, "e\u0301te\u0301.md", TEXT).id == "\u00e9t\u00e9.md"


# Encodings and characters


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("name", ["a.md", "a.html"])
def test_encodings(tmp_path: Path, encoding: str, name: str) -> None:
    content = page() if name.endswith("html") else TEXT
    assert article(tmp_path, name, content.encode(encoding)).text == TEXT


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        (
            "cp1250",
            "Most został otwarty w sobotę. Mieszkańcy przeszli po nim pieszo, choć padał deszcz i wiał żółty wiatr.",
        ),
        (
            "iso8859_2",
            "Most został otwarty w sobotę. Mieszkańcy przeszli po nim pieszo, choć wiał żółty wiatr, zaś lało.",
        ),
        ("cp1254", "Köprü cumartesi günü açıldı ve şehir sakinleri yağmur altında yürüyerek geçti."),
        ("cp1250", "Most byl otevřen v sobotu a obyvatelé města po něm přešli pěšky v dešti, žluťoučký kůň."),
        ("cp1251", "Мост открыли в субботу, и жители города прошли по нему пешком под дождём."),
        ("koi8_r", "Мост открыли в субботу, и жители города прошли по нему пешком под дождём."),
        ("cp1253", "Η γέφυρα άνοιξε το Σάββατο και οι κάτοικοι της πόλης την πέρασαν με τα πόδια."),
        ("cp1256", "فتح الجسر يوم السبت وعبره سكان المدينة سيرا على الأقدام تحت المطر."),
        ("gb18030", "大桥于星期六重新开放，市民冒雨步行通过。"),
        ("shift_jis", "橋は土曜日に再開し、住民は雨の中を歩いて渡った。"),
    ],
)
def test_other_encodings_are_detected(tmp_path: Path, encoding: str, text: str) -> None:
    assert article(tmp_path, "a.txt", text.encode(encoding)).text == text


def test_a_heading_is_the_title_of_a_page_without_one(tmp_path: Path) -> None:
    assert (
        article(tmp_path, "a.html", page("<title>Écho</title>", "<h1>Le pont : <b>rouvert</b></h1>")).title
        == FULL.title
    )


def test_a_page_in_its_declared_encoding(tmp_path: Path) -> None:
    russian = "Мост открыли в субботу, и жители города прошли по нему пешком под дождём."
    html = f'<html><head><meta charset="koi8-r"></head><body><article><p>{russian}</p></article></body></html>'
    assert article(tmp_path, "a.html", html.encode("koi8-r")).text == russian


def test_line_ends_and_control_characters(tmp_path: Path) -> None:
    found = article(tmp_path, "a.jsonl", json.dumps({"text": "a\r\nb\rc\fd\x00e\x1bf\x92g\ud800h\ti\u00a0 j"}))
    assert found.text == "a\nb\nc\nd\ufffde\ufffdf’g\ufffdh\ti\u00a0 j"


@given(st.text(st.characters()))
def test_cleaned_text_is_storable_and_stays_as_it_is(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode()
    assert clean_text(cleaned) == cleaned
    assert "\r" not in cleaned
    assert "\0" not in cleaned


def test_letters_are_not_composed(tmp_path: Path) -> None:
    assert article(tmp_path, "a.txt", "cafe\u0301").text == "cafe\u0301"


# What cannot be read is said, and the rest goes on


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"text": None}, "no text"),
        ({"text": 5}, "text must be text"),
        ({"text": " \n\u00a0"}, "the text is empty"),
        ({"title": 5}, "title must be text, not a number"),
        ({"author": ["a", "b"]}, "author must be text, not a list"),
        ({"id": True}, "id must be text, not true or false"),
        ({"id": "x" * 201}, "the id has 201 characters; at most 200"),
        ({"id": "a\u202eb"}, "the id holds a line break, a control character or a byte that is not UTF-8"),
        ({"published": "hier"}, "published must be an ISO 8601 date such as 2025-10-07, not 'hier'"),
        ({"published": "2025-02-30"}, "published must be an ISO 8601 date such as 2025-10-07, not '2025-02-30'"),
        ({"published": 1730000000}, "published must be text, not a number"),
        ({"language": "French"}, "language must be a two-letter code such as fr, not 'French'"),
        ({"url": "javascript:alert(1)"}, "url must start with http:// or https://, not 'javascript:alert(1)'"),
        ({"title": "t" * 1001}, "title has 1001 characters; at most 1000"),
    ],
)
def test_keys_that_cannot_be_used(tmp_path: Path, keys: dict[str, object], reason: str) -> None:
    assert one(tmp_path, "a.jsonl", json.dumps({"text": TEXT, **keys})) == reason


@pytest.mark.parametrize("line", ["{", "[1]", '"x"', "nul", '{"text": "\\x"}', "[" * 100_000, "\ufffe", "9" * 5000])
def test_a_bad_line_costs_itself_only(tmp_path: Path, line: str) -> None:
    good = json.dumps({"text": TEXT})
    (tmp_path / "a.jsonl").write_text(f"{good}\n{line}\n{good}\n", encoding="utf-8")
    found = list(read_articles([tmp_path / "a.jsonl"]))
    assert [a.id for a in found if isinstance(a, Article)] == ["a.jsonl#1", "a.jsonl#3"]
    (error,) = (e for e in found if isinstance(e, ArticleError))
    assert error.path == f"{tmp_path / 'a.jsonl'}:2"


def test_blank_values_are_missing_values(tmp_path: Path) -> None:
    record = {"text": TEXT, "title": " ", "author": None, "published": "", "language": "und", "id": ""}
    found = article(tmp_path, "a.jsonl", json.dumps(record))
    assert (found.id, found.title, found.author, found.language) == (
        "a.jsonl#1",
        "Le pont a rouvert samedi.",
        None,
        "fr",
    )


def test_a_huge_line_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(article_formats, "MAX_BYTES", 1000)
    good = json.dumps({"text": "Bonjour."})
    (tmp_path / "a.jsonl").write_text(f"{good}\n{'x' * 5000}\n{'y' * 1000}\n{good}\n{'z' * 2000}")
    found = list(read_articles([tmp_path / "a.jsonl"]))
    assert [f.id if isinstance(f, Article) else f.path.rpartition(":")[2] for f in found] == [
        "a.jsonl#1",
        "2",
        "3",
        "a.jsonl#4",
        "5",
    ]


def test_a_huge_file_or_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(article_fields, "MAX_TEXT_CHARS", 10)
    assert one(tmp_path, "a.txt", "x" * 11) == "the text has 11 characters; at most 10"
    monkeypatch.setattr(encodings, "MAX_BYTES", 1000)
    assert one(tmp_path, "a.txt", "x" * 1001) == "the file is larger than 1000 bytes"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf", b"---\ntitle: x\n---\n"])
def test_empty_files(tmp_path: Path, content: bytes) -> None:
    assert one(tmp_path, "a.md", content) == "the text is empty"


def test_files_that_are_no_text(tmp_path: Path) -> None:
    nul = "holds NUL bytes: no text, or UTF-16 without a byte order mark. Save it as UTF-8"
    assert one(tmp_path, "a.txt", bytes(range(256)) * 20) == nul
    assert one(tmp_path, "b.txt", TEXT.encode("utf-16-le")) == nul
    assert one(tmp_path, "c.jsonl", b'{"text": "a\0b"}') == f"not JSON: {nul}"


@settings(max_examples=60)
@given(st.sampled_from(["a.md", "a.txt", "a.html", "a.jsonl"]), st.binary(max_size=200))
def test_any_bytes_give_articles_or_reasons(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    for found in read_articles([path]):
        if isinstance(found, Article):
            assert found.text.strip()
            (found.text + found.title + found.id).encode()


# Front matter


def test_values_stay_as_written(tmp_path: Path) -> None:
    source = (
        "---\ntitle: 1984\nid: 007\nauthor: No\nsource:\n"
        "published: 2025-10-07 08:30:00 +02:00\ntags: [a, b]\n---\nTexte."
    )
    found = article(tmp_path, "a.md", source)
    assert (found.title, found.id, found.author, found.source, found.text) == ("1984", "007", "No", None, "Texte.")
    assert found.published == datetime.fromisoformat("2025-10-07T08:30:00+02:00")


@pytest.mark.parametrize(
    "text", ["---\nUn trait.\n", "Un.\n---\nid: x\n---\n", "---\nUn trait.\n---\nDeux.", "----\nid: x\n----\n"]
)
def test_text_that_only_looks_like_front_matter(text: str) -> None:
    assert split_front_matter(text) == ({}, text)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("title: Cidre : petite récolte", "Put quotes around text with a colon"),
        ("a: &x [1, 2]\nb: *x", "aliases"),
        ("a: " + "[" * 20_000, "not YAML|nested too deeply"),
        ("a: " + "x" * 70_000, "longer than 65536 characters"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML"),
        ("? [a]\n: b", "not YAML"),
    ],
)
def test_front_matter_that_is_refused(source: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        split_front_matter(f"---\n{source}\n---\nTexte.")


# Web pages


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a page asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("_no_network")
def test_scripts_styles_and_comments_are_no_text(tmp_path: Path) -> None:
    body = (
        "<script>var secret = 1;</script><style>p{color:red}</style><noscript>Activez JavaScript</noscript>"
        "<!-- caché --><img src='https://x.example/a.png'></article>"
        "<div id='comments'><p>Un avis de lecteur assez long, ma foi.</p></div>"
    )
    assert article(tmp_path, "a.html", page(body=body)).text == TEXT


def test_lists_tables_and_inline_elements(tmp_path: Path) -> None:
    body = (
        "<p>Il a dit <q>non</q> le <time datetime='2020-01-02'>2 janvier</time>.</p><h2>Il faut</h2>"
        "<ul><li>un œuf</li><li>du sel</li></ul><table><tr><td>Noix</td><td>6,20 €</td></tr>"
        "<tr><td>Cèpe</td><td>16 €</td></tr></table>"
    )
    expected = (
        f"{TEXT}\n\nIl a dit “non” le 2 janvier.\n\nIl faut\n\n- un œuf\n- du sel\n\n| Noix | 6,20 € |\n| Cèpe | 16 € |"
    )
    assert article(tmp_path, "a.html", page(body=body)).text == expected


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("", "<p>Le 12 avril 2020, un accord.</p></article><footer>© 2019. Mis à jour 12/03/2020</footer>"),
        ("", "<p>Le match du <time datetime='1998-07-12'>12 juillet 1998</time>.</p>"),
        ("<link rel='canonical' href='https://x.example/2019/03/04/pont'>", ""),
        ("<meta property='og:image' content='https://x.example/2018/05/06/pont.jpg'>", ""),
        ("<meta property='article:modified_time' content='2024-05-06'>", ""),
        ("<meta property='article:published_time' content='hier'>", ""),
    ],
)
def test_no_date_is_invented(tmp_path: Path, head: str, body: str) -> None:
    assert article(tmp_path, "a.html", page(head, body)).published is None


@pytest.mark.parametrize(
    "head",
    [
        "<meta name='DC.date.issued' content='2022/02/03'>",
        '<script type="application/ld+json">{"@graph": [{"datePublished": "2022-02-03"}], broken</script>',
        "<meta itemprop='datePublished' content=' 2022-02-03 '><meta name='date' content='1999-01-01'>",
    ],
)
def test_dates_in_metadata(tmp_path: Path, head: str) -> None:
    assert article(tmp_path, "a.html", page(head)).published == date(2022, 2, 3)


def test_metadata_no_article_could_have_are_left_out(tmp_path: Path) -> None:
    head = f"<link rel='canonical' href='javascript:alert(1)'><title>{'t' * 2000}</title>"
    found = article(tmp_path, "a.html", page(head, attributes=" lang='x-klingon'"))
    assert (found.url, found.language, found.title) == (None, "fr", "Le pont a rouvert samedi.")


@pytest.mark.parametrize("html", ["", "mot", "<div>" * 20_000 + "mot", "<p>mot" * 30_000, "<html></html>", "\0<p>mot"])
def test_pages_without_an_article(tmp_path: Path, html: str) -> None:
    assert isinstance(one(tmp_path, "a.html", html), str)
