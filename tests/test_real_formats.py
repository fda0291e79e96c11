"""40 files of real formats: made by LibreOffice, Chromium and python-docx, or written as agencies write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from email.utils import format_datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from docx import Document
from missing import needed
from office_documents import Written, converted, document

from index.articles import Article, read_articles
from index.formats.front_matter import split_front_matter

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

CORPUS = Path(__file__).parent.parent / "corpus"
TABLE = (("Poste", "Montant"), ("Maçonnerie", "412 000 euros"), ("Éclairage", "38 500 euros"))
ARABIC = Written(
    "arabe",
    "الجسر القديم يفتح من جديد",
    (
        "فتح الجسر القديم يوم السبت بعد سبعة أشهر من الأشغال، وعبره سكان المدينة سيرا على الأقدام تحت المطر "
        "خلف الفرقة الموسيقية. وقال رئيس البلدية (جان دوبون) إن الأشغال كلفت 618 ألف يورو، "
        "أي أقل من المبلغ الذي كان متوقعا في 2024.",
        "ولا يزال أصحاب المتاجر في الشارع السفلي ينتظرون عودة الزبائن. "
        "فقد خسر بعضهم نصف دخله، وأغلق آخرون أبوابهم نهائيا.",
    ),
    date(2025, 11, 8),
    "ليلى حداد",
    "ar",
)
CHINESE = Written(
    "chinois",
    "老桥重新开放",
    (
        "老桥经过七个月的施工，于星期六上午重新开放，市民冒着雨步行通过，走在市政乐队的后面。市长说，工程耗资六十一万八千欧元，"
        "比预算略少一些，但他提醒大家不要习惯于此。",
        "下街的商店老板们仍在等待顾客回来。有的人损失了一半的收入，有的人已经永远关门，还有一家面包店搬到了河的另一边。",
    ),
    date(2025, 11, 8),
    "王芳",
    "zh",
)


def written(name: str, table: tuple[tuple[str, ...], ...] = ()) -> Written:
    """An article of the sample newspaper."""
    keys, text = split_front_matter((CORPUS / f"{name}.md").read_text(encoding="utf-8"))
    paragraphs = tuple(" ".join(part.split()) for part in text.strip().split("\n\n"))
    day = date.fromisoformat(str(keys["published"])[:10])
    author = str(keys.get("author") or "La rédaction")
    return Written(name.replace("/", "-"), str(keys["title"]), paragraphs, day, author, name[:2], table)


def dossier() -> Written:
    """Several pages: three articles below each other."""
    parts = [
        written(f"fr/{name}")
        for name in ("verrerie-brizac-suppressions", "verrerie-brizac-negociations", "loup-mauzerie-attaque")
    ]
    paragraphs = tuple(paragraph for part in parts for paragraph in part.paragraphs) * 3
    return Written("dossier", "La verrerie et le loup, un dossier", paragraphs, parts[0].published, "La rédaction")


def spaced(text: str) -> str:
    """Kinds of space are not kept by every format; paragraphs are."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


Case = tuple[str, Written, date | None]
Maker = Callable[[Path], list[Case]]


def printed(folder: Path) -> list[Case]:
    """PDFs by LibreOffice, under a clock that shows the day of publication."""
    cases: list[Case] = []
    styles = {
        "fr/pont-tanneurs-reouverture": {},
        "fr/crue-sarve-bilan-lundi": {"columns": 2},
        "fr/maternite-menace": {"columns": 3, "justified": False},
        "de/feuerwehr-pumpen-aubrenne": {"columns": 2},
        "en/wolf-was-a-dog": {"justified": False},
        "es/teatro-alcor-premio": {},
        "it/olio-nuovo-frantoio": {"columns": 2},
    }
    for name, style in styles.items():
        article = written(name)
        (pdf,) = converted([document(article, folder, **style)], "pdf", folder, article.published)  # type: ignore[arg-type]
        cases.append((pdf.name, article, article.published))
    with_table = written("fr/pont-tanneurs-devis", TABLE)
    long = dossier()
    for article, header in ((with_table, ""), (long, "Le Courrier de la Sarve – dossier"), (ARABIC, ""), (CHINESE, "")):
        source = document(article, folder, 2 if article is long else 1, header)
        (pdf,) = converted([source], "pdf", folder, article.published)
        cases.append((pdf.name, article, article.published))
    return cases


def typed(folder: Path) -> list[Case]:
    """Documents of word processors and what LibreOffice makes of them: .docx, .odt, .epub, .html."""
    kinds = {
        "docx": [
            written("fr/greve-sarvobus-debut"),
            written("de/orgel-sankt-alban", TABLE),
            written("en/norvitra-brizac-jobs"),
            ARABIC,
            CHINESE,
        ],
        "odt": [
            written("fr/meteo-record-chaleur"),
            written("es/sidra-hermanamiento", TABLE),
            written("it/ponte-vecchio-semaforo"),
            ARABIC,
        ],
        "epub": [written("fr/musee-vol-nuit"), written("de/partnerschaft-vierzig-jahre"), CHINESE],
    }
    cases: list[Case] = []
    for kind, articles in kinds.items():
        sources = [document(article, folder) for article in articles]
        for path, article in zip(converted(sources, kind, folder), articles, strict=True):
            # LibreOffice writes into a book on which day it made it, and not on which day it was written.
            cases.append((path.name, article, None if kind == "epub" else article.published))
    article = written("fr/necrologie-jeanne-tavernel")
    word = Document()
    word.core_properties.title = article.title
    word.core_properties.created = datetime(article.published.year, article.published.month, article.published.day)  # noqa: DTZ001 - python-docx takes no zone
    word.add_heading(article.title, 1)
    for paragraph in article.paragraphs:
        word.add_paragraph(paragraph)
    word.save(str(folder / "python.docx"))
    return [*cases, ("python.docx", article, article.published)]


def page(article: Written) -> str:
    paragraphs = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in article.paragraphs)
    return (
        f'<html lang="{article.language}"><head><meta charset="utf-8">'
        f"<style>@media print {{ nav {{ display: none }} }}</style><title>{escape(article.title)}</title>"
        f'<meta property="article:published_time" content="{article.published}"></head><body><header><nav><a href="/">'
        f"Accueil</a></nav></header><article><h1>{escape(article.title)}</h1>{paragraphs}</article></body></html>"
    )


def browsed(folder: Path, browser: Browser) -> list[Case]:
    """What Chromium saves: pages in one file, and PDFs it prints."""
    cases: list[Case] = []
    with browser.new_context() as context:
        tab = context.new_page()
        for name in ("fr/ligne-nizelon-mars", "es/crecida-sarve-cronica"):
            article = written(name)
            source = folder / f"{article.name}-page.html"
            source.write_text(page(article), encoding="utf-8")
            tab.goto(source.as_uri())
            saved = tab.context.new_cdp_session(tab).send("Page.captureSnapshot", {"format": "mhtml"})["data"]
            (folder / f"{article.name}.mhtml").write_bytes(saved.encode())
            cases.append((f"{article.name}.mhtml", article, article.published))
            today = date.today()  # noqa: DTZ011 - a browser prints with the clock of the machine
            (folder / f"{article.name}-print.pdf").write_bytes(tab.pdf(format="A4", print_background=False))
            cases.append((f"{article.name}-print.pdf", article, today))
    return cases


RSS = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">'
    "<channel><title>Le Courrier</title><language>en-us</language><item><title>{title}</title><guid>{guid}</guid>"
    "<pubDate>{rfc}</pubDate><description>Chapô.</description><content:encoded><![CDATA[{html}]]></content:encoded></item>"
    "</channel></rss>"
)
ATOM = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<feed xmlns="http://www.w3.org/2005/Atom"><title>Le Courrier</title>'
    "<id>urn:courrier</id><updated>2026-01-01T00:00:00Z</updated><entry><id>{guid}</id><title>{title}</title>"
    "<published>{iso}T00:00:00Z</published><updated>2026-01-01T00:00:00Z</updated>"
    '<content type="html">{escaped}</content></entry></feed>'
)
RDF = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>'
    'Le Courrier</title></channel><item rdf:about="{guid}"><title>{title}</title><dc:date>{iso}</dc:date>'
    "<description>{escaped}</description></item></rdf:RDF>"
)
NEWSML = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<newsItem xmlns="http://iptc.org/std/nar/2006-10-01/" guid="{guid}" '
    'version="2" standard="NewsML-G2" standardversion="2.33"><itemMeta><itemClass qcode="ninat:text"/><provider '
    'qcode="nprov:ADS"/><versionCreated>2026-01-01T00:00:00Z</versionCreated><firstCreated>{iso}T00:00:00Z</firstCreated>'
    '<pubStatus qcode="stat:usable"/></itemMeta><contentMeta><headline>{title}</headline></contentMeta>'
    "<contentSet>{inside}</contentSet></newsItem>"
)
XHTML = (
    '<inlineXML contenttype="application/xhtml+xml"><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>'
    "<body>{html}</body></html></inlineXML>"
)
NITF_BODY = (
    "<body><body.head><hedline><hl1>{title}</hl1></hedline></body.head><body.content>{html}</body.content></body>"
)
INLINE_NITF = f'<inlineXML contenttype="application/nitf+xml"><nitf xmlns="http://iptc.org/std/NITF/2006-10-18/">{NITF_BODY}</nitf></inlineXML>'
PLAIN = '<inlineData contenttype="text/plain">{plain}</inlineData>'
NITF = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<!DOCTYPE nitf SYSTEM "nitf-3-6.dtd">\n<nitf><head><docdata '
    'management-status="usable"><doc-id regsrc="ADS" id-string="{guid}"/><date.issue norm="{basic}T000000Z"/>'
    "</docdata></head>"
    f"{NITF_BODY}</nitf>"
)
# What is written, the article, its encoding, the name of the file.
SENT = [
    (RSS, "fr/verchamp-fusion-vote", "utf-8", "a.rss"),
    (RSS, "fr/chauffage-reseau-bois", "windows-1252", "b.rss"),
    (RSS, "zh", "gb18030", "c.xml"),
    (ATOM, "de/austausch-gastfamilien", "iso-8859-15", "d.atom"),
    (ATOM, "ar", "utf-16", "e.xml"),
    (RDF, "it/piena-francia-gazzetta", "utf-8", "f.xml"),
    (NEWSML.replace("{inside}", XHTML), "fr/football-stade-inonde", "utf-8", "g.xml"),
    (NEWSML.replace("{inside}", INLINE_NITF), "ar", "utf-8", "h.xml"),
    (NEWSML.replace("{inside}", PLAIN), "en/library-english-shelf", "windows-1252", "i.xml"),
    (NITF, "fr/maternite-sursis", "iso-8859-15", "j.xml"),
    (NITF, "zh", "gb18030", "k.xml"),
    (NITF, "it/vergine-cardo-ritrovata", "utf-8", "l.xml"),
]  # fmt: skip


def sent(folder: Path) -> list[Case]:
    """Feeds, NewsML-G2 and NITF in several encodings."""
    cases: list[Case] = []
    for number, (template, name, encoding, file) in enumerate(SENT):
        article = {"ar": ARABIC, "zh": CHINESE}.get(name) or written(name)
        html = "".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in article.paragraphs)
        moment = datetime(article.published.year, article.published.month, article.published.day, tzinfo=UTC)
        source = template.format(
            encoding=encoding,
            title=escape(article.title, quote=False),
            guid=f"urn:courrier:{number}",
            rfc=format_datetime(moment),
            iso=article.published,
            basic=f"{article.published:%Y%m%d}",
            html=html,
            escaped=escape(html, quote=False),
            plain=escape("\n\n".join(article.paragraphs), quote=False),
        )
        (folder / file).write_bytes(source.encode(encoding, "xmlcharrefreplace" if "CDATA" not in source else "strict"))
        cases.append((file, article, article.published))
    return cases


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> tuple[Path, list[Case]]:
    needed("soffice", "faketime")
    folder = tmp_path_factory.mktemp("made")
    makers: list[Maker] = [printed, typed, partial(browsed, browser=browser), sent]
    return folder, [case for maker in makers for case in maker(folder)]


def one_paragraph_apart(text: str, expected: str) -> bool:
    """A justified column that ends with a sentence and a full line: nothing on the page says whether its paragraph goes
    on in the next. Where that happens depends on the fonts that a machine has."""
    apart = text.count("\n\n") - expected.count("\n\n")
    return abs(apart) == 1 and text.split() == expected.split()


def test_forty_files_of_real_formats(made: tuple[Path, list[Case]]) -> None:
    """Each gives one article, with the title, the day and every paragraph that went in, and nothing else."""
    folder, cases = made
    assert len(cases) == 40
    wrong: dict[str, object] = {}
    for file, article, published in cases:
        found = list(read_articles([folder / file]))
        if len(found) != 1 or not isinstance(found[0], Article):
            wrong[file] = found
            continue
        (read,) = found
        day = read.published.date() if isinstance(read.published, datetime) else read.published
        # In feeds, agencies' formats and web pages the title stands beside the text.
        expected = spaced(article.text)
        if spaced(read.text).partition("\n")[0] != " ".join(article.title.split()):
            expected = expected.partition("\n\n")[2]
        text = spaced(read.text)
        if file.endswith(".pdf") and one_paragraph_apart(text, expected):
            text = expected
        facts = (" ".join(read.title.split()), day, read.language, text)
        wanted = (" ".join(article.title.split()), published, article.language, expected)
        if facts != wanted:
            wrong[file] = [pair for pair in zip(facts, wanted, strict=True) if pair[0] != pair[1]]
    assert wrong == {}


def test_no_text_holds_what_a_reader_does_not_see(made: tuple[Path, list[Case]]) -> None:
    folder, _ = made
    for found in read_articles([folder / file for file, _, _ in made[1]]):
        assert isinstance(found, Article)
        assert re.search("[\u00ad\u200b\ufeff\ufffd\0]", found.text) is None
        assert "\n\n\n" not in found.text
