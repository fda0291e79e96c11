// One turn on the page: the same elements as templates/turn.html, filled with textContent only.

import { makeCard, showCited } from "./cards.js";
import { describe } from "./filters.js";
import { articlePath, clone, counted, element, language, readable, said, unbroken, words } from "./page.js";

const BUSY = ["searching", "reading", "writing"]; // something is going on, and words.<state> says what

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Shows one question from asking to its end. */
export class TurnView {
  constructor(question, filters) {
    this.root = clone("turn-template");
    this.question = question;
    this.find(".turn-question-text").textContent = unbroken(question);
    const limits = describe(filters);
    this.find(".turn-filters").hidden = limits === "";
    this.find(".turn-filters-text").textContent = limits;
    this.clear();
    this.state = "searching";
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  get state() {
    return this.root.dataset.state;
  }

  set state(state) {
    this.root.dataset.state = state;
    const busy = BUSY.includes(state);
    this.find(".status").hidden = !busy;
    if (busy) this.find(".status-text").textContent = words[state];
    this.find(".turn-error").hidden = !["waiting", "offline", "failed"].includes(state);
  }

  /** As before anything came: what is asked again is shown again. */
  clear() {
    this.citations = new Map(); // number -> citation
    this.sentences = []; // those of the server, in order
    this.hits = [];
    this.find(".answer-text").replaceChildren();
    this.find(".cards").replaceChildren();
    this.find(".evidence").hidden = true;
    this.showAhead(0);
  }

  /** How many questions are answered at the same time, where the server says so. */
  showAhead(count) {
    this.find(".ahead").textContent = count > 0 ? counted("ahead", count) : "";
  }

  showFound(found) {
    this.find(".answer-text").lang = found.language;
    this.find(".turn-question-text").lang = found.language;
    this.showSearchedAs(found.standalone_question);
    // Cards that say the same stay: the reader may have unfolded one, or stand in it with the keyboard.
    if (same(found.passages, this.hits)) return;
    this.hits = found.passages;
    const cards = this.hits.map(makeCard);
    this.find(".cards").replaceChildren(...cards);
    this.find(".evidence").hidden = cards.length === 0;
  }

  showSearchedAs(query) {
    const differs = query.trim() !== this.question;
    this.find(".searched-as").hidden = !differs;
    this.find(".searched-as-text").textContent = differs ? unbroken(query) : "";
  }

  /** Appends a sentence; gives its text, "" where it is not for readers. */
  showSentence({ sentence, citations }) {
    for (const citation of citations) this.citations.set(citation.number, citation);
    this.sentences.push(sentence);
    if (sentence.support === "unsupported") return "";
    const shown = element("span", "sentence", readable(sentence.text));
    shown.dataset.support = sentence.support;
    for (const number of sentence.citations) {
      if (this.citations.has(number)) shown.append("\u2060", this.mark(this.citations.get(number)));
    }
    if (sentence.support === "partial") {
      const note = element("span", "partial", words.partial);
      note.title = words.partial_help;
      note.lang = language;
      shown.append(" ", note);
    }
    this.find(".answer-text").append(shown, " ");
    this.showCited();
    return sentence.text;
  }

  mark(citation) {
    const link = element("a", "cite", `[${citation.number}]`);
    link.href = articlePath(citation.article_id, citation.start, citation.end);
    link.dataset.number = citation.number;
    link.setAttribute("aria-label", said("open_source", { n: citation.number, title: citation.title }));
    return link;
  }

  showCited() {
    showCited(this.root.querySelectorAll(".card"), this.hits, [...this.citations.values()]);
  }

  /** The whole answer replaces what came in pieces, where it differs: it is the one the server stands by. */
  showAnswer(answer) {
    this.showFound(answer);
    if (!same(answer.sentences, this.sentences) || !same(answer.citations, [...this.citations.values()])) {
      this.find(".answer-text").replaceChildren();
      this.sentences = [];
      this.citations = new Map(answer.citations.map((one) => [one.number, one]));
      for (const sentence of answer.sentences) this.showSentence({ sentence, citations: [] });
      this.showCited();
    }
    this.state = answer.answered ? "answered" : "declined";
    if (answer.answered) {
      this.showAccording(answer);
      this.showSummary(summaryOf(answer));
    } else {
      this.find(".declined-note").hidden = false;
      this.find(".declined-text").lang = answer.language;
      this.find(".declined-text").textContent = answer.answer;
      this.find(".evidence-title").textContent = words.nearest;
    }
  }

  showAccording(answer) {
    const text = accordingTo(answer);
    this.find(".according").textContent = text;
    this.find(".according").hidden = text === "";
  }

  showStopped() {
    this.state = "stopped";
    this.showSummary(words.stopped);
  }

  showSummary(text) {
    const summary = this.find(".summary");
    summary.textContent = text;
    summary.hidden = false;
  }

  /** Says why there is no answer yet (`waiting`, `offline`) or at all (`failed`), with a button that asks again. */
  showProblem(state, title, text, button, onRetry) {
    this.state = state;
    this.find(".error-title").textContent = title;
    this.find(".error-text").textContent = text;
    this.showCountdown(0);
    const retry = this.find(".retry");
    retry.textContent = button;
    retry.onclick = onRetry;
  }

  /** Whole seconds until the question is asked again; 0 says nothing. */
  showCountdown(seconds) {
    this.find(".countdown").textContent = seconds > 0 ? counted("waiting_next", seconds) : "";
  }
}

/** Whose word it is, where each sentence stands in two articles; as in web/turn_view.py. */
function accordingTo(answer) {
  const articleOf = new Map(answer.citations.map((one) => [one.number, one.article_id]));
  const shown = answer.sentences.filter((one) => one.support !== "unsupported");
  const twice = shown.every((one) => new Set(one.citations.map((number) => articleOf.get(number))).size > 1);
  // A conversation that was kept by an earlier version of this page has no such number.
  return shown.length && twice && answer.independent_sources > 1 ? counted("according_to", answer.independent_sources) : "";
}

function summaryOf(answer) {
  const shown = answer.sentences.filter((one) => one.support !== "unsupported").length;
  const articles = new Set(answer.citations.map((one) => one.article_id)).size;
  const parts = [];
  if (shown) parts.push(counted("checked", shown) + (articles ? ` ${counted("in_articles", articles)}` : ""));
  if (answer.withheld) parts.push(counted("withheld", answer.withheld));
  const seconds = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  parts.push(said("seconds", { n: seconds.format(answer.timings.total_ms / 1000) }));
  return parts.join(" · ");
}
