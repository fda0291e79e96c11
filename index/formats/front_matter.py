"""Front matter: the YAML between two lines of --- at the top of a text."""

from __future__ import annotations

import re

import yaml

# Metadata are a few lines. More is a mistake, or made to keep a YAML reader busy.
MAX_FRONT_MATTER_CHARS = 64 * 1024

_OPENING = re.compile(r"---[ \t]*\n")
_CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE)


class _TextLoader(yaml.SafeLoader):
    """Reads every value as the text that was written, and refuses aliases.

    YAML would make a number of `title: 1984` and fail on `published: 2025-13-45` without naming the key; aliases of
    aliases unfold to gigabytes.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - SafeLoader's own attribute, read by PyYAML
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not accepted")
        return super().compose_node(parent, index)


def split_front_matter(text: str) -> tuple[dict[str, object], str]:
    """Return the front matter's keys and the text below it. Raises ValueError where it is not usable YAML.

    A text without front matter comes back whole: no --- first, no second ---, or no keys between them. Values are text
    (or lists and objects, which no key of ours takes), None where nothing stands.
    """
    opening = _OPENING.match(text)
    closing = _CLOSING.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        return {}, text
    if closing.start() - opening.end() > MAX_FRONT_MATTER_CHARS:
        raise ValueError(f"the front matter is longer than {MAX_FRONT_MATTER_CHARS} characters")
    try:
        keys = _load(text[opening.end() : closing.start()])
    except RecursionError:
        raise ValueError("the front matter is nested too deeply") from None
    except yaml.YAMLError as error:
        raise ValueError(
            f"the front matter is not YAML ({_where(error)}). Put quotes around text with a colon"
        ) from error
    if not isinstance(keys, dict):
        return {}, text
    return {key: value for key, value in keys.items() if isinstance(key, str)}, text[closing.end() :].lstrip("\n")


def _load(source: str) -> object:
    loader = _TextLoader(source)
    try:
        keys: object = loader.get_single_data()
    finally:
        loader.dispose()
    return keys


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())[:200]
    return f"{getattr(error, 'problem', '')}, line {mark.line + 2}"
