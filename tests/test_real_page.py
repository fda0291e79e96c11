"""The whole product once: real articles' files, real models, a real server, a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import IN_VIEW, PHONE, ask, no_sideways_scroll, opened
from web_fixtures import running

from index.build import build
from index.embedder import SentenceTransformerEmbedder
from index.search import Index
from qa.answers import Answerer
from web import create_app
from web.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.models, pytest.mark.browser]

CORPUS = Path(__file__).parent.parent / "corpus"
FEW = ["fr/pont-tanneurs-reouverture.md", "fr/cidre-recolte.md", "fr/musee-vol-nuit.md"]


@pytest.fixture(scope="module")
def url(
    tmp_path_factory: pytest.TempPathFactory,
    embedder: SentenceTransformerEmbedder,
    answering: Callable[[Index], Answerer],
) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    build([CORPUS / name for name in FEW], home, embedder, "embeddinggemma-300m")
    index = Index(home, embedder)
    with running(create_app(Settings(home=home), answering(index), index)) as url:
        yield url
    index.close()


def test_a_reader_asks_in_french_and_opens_the_citation(browser: Browser, url: str) -> None:
    with opened(browser, url, PHONE) as page:
        page.set_default_timeout(120_000)
        ask(page, "Quel est le montant de la facture du pont des Tanneurs ?")
        page.wait_for_selector(".card .excerpt mark")
        page.wait_for_selector(".turn[data-state=answered]")
        assert "618 000 euros" in page.inner_text(".sentence").replace("\u00a0", " ").replace("\u202f", " ")
        page.click("a.cite")
        quote = page.wait_for_selector("mark#quote")
        assert quote is not None
        assert "618" in quote.inner_text()
        assert quote.evaluate(IN_VIEW)
        assert no_sideways_scroll(page)


def test_what_no_article_says_is_declined_in_the_language_of_the_question(browser: Browser, url: str) -> None:
    with opened(browser, url, locale="en-GB") as page:
        page.set_default_timeout(120_000)
        ask(page, "Who won the 2022 football World Cup?")
        page.wait_for_selector(".turn[data-state=declined]")
        assert page.query_selector(".sentence") is None
        assert "do not answer" in page.inner_text(".declined-text")
        assert page.query_selector(".card") is not None
