"""Names in text, and whether a source has them: inflected, without accents, or as another language writes them.

Read `missing_names` first. Within a language a name must stand in the source, letter by letter but for its ending.
What CLDR knows is compared by what it names too ("l'ONU" and "les Nations unies", "le Maroc" and "les Marocains":
qa/wording/known_names.py); across languages nothing else is, but for what is spelled nearly the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rapidfuzz import fuzz

from index.function_words import FUNCTION_WORDS
from index.languages import stem_words
from qa.wording.known_names import KnownName, Word, as_set, dates_written, known_names, words_of
from qa.wording.known_names import folded as folded

_NAME = re.compile(r"[^\W\d_]+(?:[-’'\u2011][^\W\d_]+)*")
_SENTENCE_START = re.compile(r"(?:^\W*|[.!?:;…]\s+|[«“„\"(\[]\s*|[-–—•*]\s+)$")
# Two spellings of one name in two languages (Choïgou/Shoigu 77, Moscou/Moscow 83, Poutine/Putin 83) against two names
# (Lavrov/Pavlov 83 is the price): used across languages only, where the alternative is to know every name.
_SAME_NAME = 74.0
# The same against words without a capital, for languages that write titles with one: Minister/ministre 88.
_SAME_WORD = 75.0
_SHORTEST_FUZZY = 5
_TITLES_WITH_CAPITALS = frozenset({"en"})
# Languages that write common nouns with a capital: a capital says nothing there.
_CAPITAL_NOUNS = frozenset({"de"})
# Forms of address, which the source may leave out.
ADDRESS = as_set("don dona dr frau herr lady lord m me miss mlle mm mme mmes mr mrs ms sig signor sir sr sra")
# Words of titles and institutions that are written with a capital in one language and are quite another word in the
# next (foreign/étrangères, leader/dirigeant): a role and not a name, so nobody is missing when they are not found.
TITLE_WORDS = as_set(
    "abroad administration affairs agency air archbishop armed armee army asamblea assemblee assembly assemblée "
    "association attorney bank bishop board bureau cabinet camara camera chair chairman chairwoman chambre "
    "chancellor chief chiesa church city club coalition commander commission commissioner committee company "
    "congress conseil consejo consiglio corte council county cour court crown defence defensa defense departement "
    "department deputy difesa director district duke eglise emperor estado etat etats executive federal federation "
    "fleet force forces foreign former foundation general gobierno gouvernement government governo governor group "
    "guerra guerre head health high home house iglesia institute interior joint justice king kingdom labour law "
    "leader league lower maire mayor member military ministere ministerio ministre ministro ministry monde mondiale "
    "mundial national navy office officer official parlamento parlement parliament parti partido partito party "
    "police pope premier premiere president presidente prime primer primera primo prince princess province public "
    "queen regina region reina reine representative repubblica republic republica republique rey roi royal school "
    "sea secretary security senado senat senate senato senator service sheriff speaker square staff state states "
    "stato street supreme tribunal union universidad universita universite university upper vice war workers world"
)
# What sentences open with, besides function words, in the languages where an unknown first word is taken for a name.
OPENERS = {
    "fr": "ainsi ailleurs alors apres aujourd aucun aucune auparavant aussi autre autrefois autres avant beaucoup "
    "bien car ceci cela celle celles celui cependant certains certaines ces ceux chacun chaque cinq contre d depuis "
    "derriere des desormais deux devant deja egalement elles encore enfin ensuite entre environ etant finalement "
    "grace hier ici ils j jamais je jusqu l lors lorsque lui mais malgre meme moins n neanmoins ni non notre nous "
    "on or oui parce parfois parmi pendant personne peut plusieurs pourtant presque puis puisque quand quant quatre "
    "quelque quelques s sans selon ses seul seule seules seuls si sinon sous souvent tandis tel telle tous tout "
    "toute toutefois toutes trois tres trop un une vers voici voila votre vous afin bon c cet chez contrairement face "
    "leurs leur notons nouveaux quoiqu rappelons reponse resultat suite tard etant nombreux nombreuses dix six huit",
    "en": "about according additionally all also although among another any are as because before being between both "
    "but can could despite during each either every few finally first five following four four further here however "
    "i if indeed instead it its later like many may meanwhile more moreover most much my neither never nevertheless "
    "no none nor nothing now once one only other our over perhaps please several she should since six so some "
    "sometimes soon still such ten than that their then there therefore these they this those three through thus "
    "today together too two under unlike until us very we well when whether while will with within without would "
    "yes yesterday yet you your",
    "es": "ademas ahora algun alguna algunos algunas alli antes aqui asi aun aunque ayer bajo cada casi cierto como "
    "contra cuando dado desde despues dos durante ella ellas ellos entonces entre esa ese eso esos esta estas este "
    "esto estos hace hacia hasta hoy ningun ninguna nos nosotros otra otras otro otros pero poco porque primero pues "
    "segun si sin sobre solo tambien tampoco tan tanto toda todas todo todos tras tres unas unos ya yo",
    "it": "adesso alcuni alcune allora altri altre anche ancora ai agli alle appena attualmente cio circa con contro "
    "cosi dai dalla dalle dal dopo due durante ecco essa essi esso fino fra ieri infatti infine inoltre invece loro "
    "ma malgrado mentre molti molte nei negli nelle nessun nessuna noi nonostante oggi ogni oltre ora pero piu poi "
    "prima quattro quasi quella quelle quelli quello questa queste questi questo quindi se secondo sempre senza "
    "sotto sugli sui sul sulla sulle tra tre tutta tutte tutti tutto un uno voi",
}


def names_in(text: str) -> list[str]:
    """Words with a capital inside a sentence, in order; the first word of a sentence only before another such word."""
    return [name for name, opens, followed in _capital_words(text) if followed or not opens]


def _capital_words(text: str) -> Iterator[tuple[str, bool, bool]]:
    """(word with its hyphens, whether it opens a sentence, whether another such word follows)."""
    for match in _NAME.finditer(text):
        word = match.group()
        if not _has_capital(word):
            continue
        following = _NAME.match(text, match.end() + 1)
        opens = _SENTENCE_START.search(text, max(0, match.start() - 20), match.start()) is not None
        yield word, opens, following is not None and _has_capital(following.group())


def _demanded(text: str, language: str) -> Iterator[tuple[str, list[str], bool]]:
    """(name, its folded parts that have a capital, whether the capital may come from opening a sentence only)."""
    for name, opens, followed in _capital_words(text):
        parts = [folded(part) for part in _parts(name) if part[:1].isupper()]
        if opens and (language in OPENERS or not followed) and _may_open(parts[0], language):
            parts = parts[1:]
        if parts:
            yield name, parts, opens and not followed


def _has_capital(word: str) -> bool:
    # "l'Ukraine", "d'Alsace": the capital stands after the elision.
    return any(part[:1].isupper() for part in _parts(word))


def _parts(name: str) -> list[str]:
    return re.split(r"[-’'\u2011]", name)


def missing_names(sentence: str, language: str, source: str, source_language: str) -> list[str]:
    """The names of a sentence that the source does not have, as the sentence writes them.

    Months and days of the week count as names. Across languages, from German or between scripts only what CLDR knows
    is asked for: there a capital, or a letter, says nothing.
    """
    have = _Source.of(source, source_language)
    words = words_of(sentence)
    known = list(known_names(words, language))
    if language == source_language:
        dates = [_written(sentence, words, name) for name in known if name.is_date and not _agrees(name, words, have)]
        settled = [name for name in known if name.is_date or name.codes & have.codes]
        others = _missing_in_same_language(sentence, language, have, _words_in(settled, words))
        return sorted([*dates, *others], key=sentence.find)
    missing = [
        _written(sentence, words, name)
        for name in known
        if _is_asked_for(name, words) and not _agrees(name, words, have)
    ]
    if language in _CAPITAL_NOUNS or _is_latin(sentence) != _is_latin(source):
        return missing
    covered = {word.plain for name in known for word in words[name.first : name.last]}
    for name, parts, only_opens in _demanded(sentence, language):
        if not only_opens and not all(
            part in covered or part in ADDRESS or part in TITLE_WORDS or _has_spelling(part, language, have)
            for part in parts
        ):
            missing.append(name)
    return sorted(missing, key=sentence.find)


class _Source:
    """The words of a source, ready to be asked for. Made once for the sentences checked against it."""

    def __init__(self, text: str, language: str) -> None:
        words = words_of(text)
        self.plain = frozenset(word.plain for word in words) | frozenset(stem_words(text, "und"))
        self.capital = frozenset(word.plain for word in words if word.capital)
        self.stems = frozenset(stem_words(text, language))
        self.capital_stems = frozenset(stem_words(" ".join(word.text for word in words if word.capital), language))
        self.codes = frozenset(code for name in known_names(words, language) for code in name.codes)
        self.codes |= dates_written(text)

    @staticmethod
    @lru_cache(maxsize=32)
    def of(text: str, language: str) -> _Source:
        return _Source(text, language)


# -- in one language ---------------------------------------------------------------------------------------------------


def _missing_in_same_language(sentence: str, language: str, have: _Source, settled: frozenset[str]) -> Iterator[str]:
    for name, parts, only_opens in _demanded(sentence, language):
        if not all(
            part in settled or part in ADDRESS or _stands_in(part, language, have, only_opens) for part in parts
        ):
            yield name


def _may_open(word: str, language: str) -> bool:
    """Whether a first word, whose capital says nothing, is an ordinary word. Unknown languages: always."""
    openers = OPENERS.get(language)
    return openers is None or word in _folded_words(openers) or word in _folded_words(FUNCTION_WORDS.get(language, ""))


@lru_cache(maxsize=64)
def _folded_words(words: str) -> frozenset[str]:
    return frozenset(folded(word) for word in words.split())


def _stands_in(part: str, language: str, have: _Source, only_opens: bool) -> bool:
    if part in have.plain or part.removesuffix("s") in have.plain or f"{part}s" in have.plain:
        return True
    stems = stem_words(part, language)
    # "France" and "francs" have one stem: a stem is enough only between words with a capital, or for a first word.
    return any(stem in (have.stems if only_opens else have.capital_stems) for stem in stems) and any(
        _same_but_ending(part, word) for word in (have.plain if only_opens else have.capital)
    )


def _same_but_ending(one: str, other: str) -> bool:
    """At most three letters differ, all at the end, and at least four are shared."""
    shared = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return shared >= 4 and max(len(one), len(other)) - shared <= 3


# -- between languages -------------------------------------------------------------------------------------------------


def _words_in(names: list[KnownName], words: list[Word]) -> frozenset[str]:
    return frozenset(word.plain for name in names for word in words[name.first : name.last])


def _is_asked_for(name: KnownName, words: list[Word]) -> bool:
    """Countries and peoples however written ("le président iranien"), the others with a capital ("est" is a verb)."""
    if name.is_date or any(word.capital for word in words[name.first : name.last]):
        return True
    return (
        all(len(code) == 2 for code in name.codes) and name.last - name.first == 1 and len(words[name.first].plain) > 4
    )


def _agrees(name: KnownName, words: list[Word], have: _Source) -> bool:
    return bool(name.codes & have.codes) or (
        not name.is_date and all(word.plain in have.plain for word in words[name.first : name.last])
    )


def _written(sentence: str, words: list[Word], name: KnownName) -> str:
    return sentence[words[name.first].start : words[name.last - 1].end]


def _is_latin(text: str) -> bool:
    letters = [character for character in text[:500] if character.isalpha()]
    return 2 * sum(character < "\u0250" or "\u1e00" <= character < "\u1f00" for character in letters) >= len(letters)


def _has_spelling(part: str, language: str, have: _Source) -> bool:
    if part in have.plain or part.removesuffix("s") in have.plain:
        return True
    if len(part) < _SHORTEST_FUZZY:
        return False
    if any(fuzz.ratio(part, word) >= _SAME_NAME for word in have.capital if len(word) >= _SHORTEST_FUZZY):
        return True
    return language in _TITLES_WITH_CAPITALS and any(
        word[0] == part[0] and fuzz.ratio(part, word) >= _SAME_WORD
        for word in have.plain
        if len(word) >= _SHORTEST_FUZZY
    )
