// A conversation, or one answer, as text to take along: every sentence with its marks, every mark with its source.

import { answerText, citationsOf, shownSentences } from "./conversation.js";
import { describe } from "./filters.js";
import { articlePath, longDate, readable, words } from "./page.js";

/** One answer and its sources as plain text, for the clipboard. */
export function turnAsText(turn) {
  const sources = citationsOf(turn).map((one) => `[${one.number}] ${sourceLine(one)}\n    ${placeOf(one)}`);
  return [markedText(turn), ...sources].join("\n\n").trim();
}

export function conversationAsJson(conversation) {
  const turns = conversation.turns.map((turn) => ({
    question: turn.question,
    asked_at: new Date(turn.asked).toISOString(),
    filters: turn.filters,
    answered: Boolean(turn.answer?.answered),
    stopped: turn.stopped,
    standalone_question: (turn.answer ?? turn.found)?.standalone_question ?? turn.question,
    answer: answerText(turn),
    sentences: shownSentences(turn),
    citations: citationsOf(turn).map((one) => ({ ...one, page: placeOf(one) })),
  }));
  const { started } = conversation;
  return `${JSON.stringify({ sourcier: "conversation", started_at: new Date(started).toISOString(), turns }, null, 2)}\n`;
}

export function conversationAsMarkdown(conversation) {
  const parts = [`# ${escaped(conversation.turns[0].question)}`];
  conversation.turns.forEach((turn, position) => {
    if (position) parts.push(`## ${escaped(turn.question)}`);
    const limits = describe(turn.filters);
    if (limits) parts.push(`*${escaped(`${words.filtered} ${limits}`)}*`);
    parts.push(escaped(markedText(turn)));
    if (turn.stopped) parts.push(`*${words.stopped}*`);
    const citations = citationsOf(turn);
    if (citations.length) parts.push(`**${words.export_sources}**`);
    for (const one of citations) {
      const quote = escaped(readable(one.quote)).replace(/\n/g, "\n> ");
      parts.push(`\\[${one.number}\\] ${escaped(sourceLine(one))}: <${placeOf(one)}>\n\n> ${quote}`);
    }
  });
  return `${parts.join("\n\n")}\n`;
}

/** Gives the reader a file. */
export function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A file name out of a question: letters and digits of any script, for every system. */
export function fileName(conversation, extension) {
  const day = new Date(conversation.started).toISOString().slice(0, 10);
  const words = conversation.turns[0].question.normalize("NFC").match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return [`sourcier-${day}`, ...words].join("-").slice(0, 80) + `.${extension}`;
}

function markedText(turn) {
  const sentences = shownSentences(turn);
  if (!sentences.length) return answerText(turn);
  return sentences
    .map((one) => {
      const marks = one.citations.map((number) => `[${number}]`).join("");
      const doubt = one.support === "partial" ? ` (${words.partial})` : "";
      return `${one.text}${marks && ` ${marks}`}${doubt}`;
    })
    .join(" ");
}

function sourceLine(citation) {
  const day = citation.published ? longDate(citation.published) : "";
  return [citation.title, citation.source, day].filter(Boolean).join(", ");
}

/** Where the quote can be read: on this server, highlighted. */
function placeOf(citation) {
  return new URL(articlePath(citation.article_id, citation.start, citation.end), location.href).href;
}

/** Text that no Markdown reader takes for a mark or for HTML. */
function escaped(text) {
  return text
    .replace(/[\\`*_{}[\]<>#|~&]/g, "\\$&")
    .replace(/^(\s*)([-+=]|\d+[.)])/gm, "$1\\$2")
    .replace(/:\/\//g, "\\://");
}
