"""A model's own chat format, rendered so that nothing but the format itself becomes control tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from qa.language_model import Message

# ChatML, for a GGUF that carries no template of its own.
_DEFAULT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class ChatTemplate:
    """Renders messages to (text, is_control) parts: the format's words are control, each piece of a message is not.

    The template sees placeholders instead of the messages' texts, so it can neither change them nor be changed by them.
    """

    def __init__(self, template: str | None, special_texts: dict[str, str]) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.globals["raise_exception"] = _refuse
        self._template = environment.from_string(template or _DEFAULT_TEMPLATE)
        self._special_texts = special_texts

    def render(self, messages: Sequence[Message]) -> Iterator[tuple[str, bool]]:
        marks = [f"\ue000{number}\ue001" for number in range(len(messages))]
        marked = [(str(message.role), mark) for message, mark in zip(messages, marks, strict=True)]
        try:
            rendered = self._render(marked)
        except TemplateError:
            rendered = ""
        if not all(mark in rendered for mark in marks):
            # Some formats know no system role (Gemma, older Mistral): its words go before the first message's.
            rendered = self._render(_system_into_user(marked))
        position = 0
        for message, mark in zip(messages, marks, strict=True):
            start = rendered.index(mark, position)
            if start > position:
                yield rendered[position:start], True
            for piece in message.pieces:
                yield piece, False
            position = start + len(mark)
        if position < len(rendered):
            yield rendered[position:], True

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
