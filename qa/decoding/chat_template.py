"""A model's own chat format, rendered so that nothing but the format itself becomes control tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from index.errors import ModelFileError
from qa.language_model import Message

# ChatML, for a GGUF that carries no template of its own.
_DEFAULT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Stands for the text of one message while the template works. The template never sees a text, so a text may hold it.
_MARK = re.compile("\ue000([0-9]+)\ue001")


class ChatTemplate:
    """Renders messages to (text, is_control) parts: the format's words are control, each piece of a message is not.

    The template sees marks instead of the messages' texts, so it can neither change them nor be changed by them.
    Raises ModelFileError for a template that cannot be used.
    """

    def __init__(self, template: str | None, special_texts: dict[str, str]) -> None:
        # As transformers renders them: apply_chat_template.
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.globals["raise_exception"] = _refuse
        try:
            self._template = environment.from_string(template or _DEFAULT_TEMPLATE)
        except TemplateError as error:
            raise _unusable(error) from error
        self._special_texts = special_texts

    def render(self, messages: Sequence[Message]) -> Iterator[tuple[str, bool]]:
        """The parts in order; every piece of every message is one of them, whole."""
        rendered = self._with_marks(messages)
        position = 0
        for mark in _MARK.finditer(rendered):
            if mark.start() > position:
                yield rendered[position : mark.start()], True
            for piece in messages[int(mark[1])].pieces:
                yield piece, False
            position = mark.end()
        if position < len(rendered):
            yield rendered[position:], True

    def _with_marks(self, messages: Sequence[Message]) -> str:
        marked = [(str(message.role), f"\ue000{number}\ue001") for number, message in enumerate(messages)]
        # Some formats know no system role (Gemma, older Mistral): its words go before the first message's.
        problem: Exception | None = None
        for arranged in (marked, _system_into_user(marked)):
            try:
                rendered = self._render(arranged)
            except (TemplateError, TypeError) as error:
                problem = error
                continue
            if [int(mark[1]) for mark in _MARK.finditer(rendered)] == list(range(len(messages))):
                return rendered
        raise _unusable(problem or "it leaves out a message") from problem

    def _render(self, messages: Sequence[tuple[str, str]]) -> str:
        return self._template.render(
            messages=[{"role": role, "content": content} for role, content in messages],
            add_generation_prompt=True,
            **self._special_texts,
        )


def _system_into_user(messages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    system = [content for role, content in messages if role == "system"]
    others = [(role, content) for role, content in messages if role != "system"]
    if not others:
        return [("user", "\n\n".join(system))]
    (role, first), *rest = others
    return [(role, "\n\n".join([*system, first])), *rest]


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _unusable(reason: object) -> ModelFileError:
    return ModelFileError(
        f"The model's chat template cannot be used ({reason}). Give a chat GGUF of another publisher."
    )
