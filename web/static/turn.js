// One turn on the page: the same elements as templates/turn.html, filled with textContent only.

const CONTEXT = 110; // characters beside the best sentence of a folded card; as in web/turn_view.py

export const page = JSON.parse(document.getElementById("page-data").textContent);
export const words = page.words;
const language = document.documentElement.lang;

export function counted(key, count) {
  return words[count === 1 ? `${key}_one` : `${key}_many`].replace("{n}", count);
}

export function articlePath(id, start, end) {
  const path = "/articles/" + id.split("/").map(encodeURIComponent).join("/");
  return start === undefined ? path : `${path}?start=${start}&end=${end}#quote`;
}

function longDate(iso) {
  // The day as published, wherever the reader is: no shift by time zone.
  const locale = navigator.language.startsWith(language) ? navigator.language : language;
  const day = new Date(`${iso.slice(0, 10)}T00:00:00Z`);
  return new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" }).format(day);
}

/** An excerpt without the marks of Markdown and without empty lines; the article page keeps every character. */
export function readable(text) {
  return text
    .replace(/^#{1,6}[ \t]+/gm, "")
    .replace(/\*\*/g, "")
    .replace(/(?<![\p{L}\p{N}_*])\*(\S[^*\n]*)\*(?![\p{L}\p{N}_*])/gu, "$1")
    .replace(/\n\s*\n/g, "\n");
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Shows one question from asking to its end. The server's offsets count characters, JavaScript's count UTF-16 units. */
export class TurnView {
  constructor(question) {
    this.root = clone("turn-template");
    this.citations = new Map(); // number -> citation
    this.sentences = []; // those of the server, in order
    this.find(".turn-question-text").textContent = question;
    this.question = question;
    this.hits = [];
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
    const status = words[state]; // only the states in which something is going on have words
    const busy = ["searching", "reading", "checking"].includes(state);
    this.find(".status").hidden = !busy;
    if (busy) this.find(".status-text").textContent = status;
  }

  showFound(found) {
    this.find(".answer-text").lang = found.language;
    this.showSearchedAs(found.standalone_question);
    // Cards that say the same stay: the reader may have unfolded one, or stand in it with the keyboard.
    if (same(found.passages, this.hits)) return;
    this.hits = found.passages;
    const cards = this.hits.map((hit) => this.card(hit));
    this.find(".cards").replaceChildren(...cards);
    this.find(".evidence").hidden = cards.length === 0;
  }

  showSearchedAs(query) {
    const differs = query.trim() !== this.question;
    this.find(".searched-as").hidden = !differs;
    this.find(".searched-as-text").textContent = differs ? query : "";
  }

  card(hit) {
    const card = clone("card-template");
    const part = (selector) => card.querySelector(selector);
    const characters = Array.from(hit.text);
    const left = hit.sentence.start - hit.start;
    const right = hit.sentence.end - hit.start;
    const first = hit.rank === 1;
    const nearLeft = first ? 0 : wordStart(characters, left - CONTEXT);
    const nearRight = first ? characters.length : wordEnd(characters, right + CONTEXT);
    const text = (from, to) => readable(characters.slice(from, to).join(""));

    card.dataset.article = hit.article_id;
    card.dataset.rank = hit.rank;
    card.classList.toggle("first", first);
    part(".card-link").textContent = hit.title;
    part(".card-link").lang = hit.language;
    part(".card-link").href = articlePath(hit.article_id, hit.sentence.start, hit.sentence.end);
    part(".card-source").textContent = hit.source ?? "";
    if (hit.published) {
      part(".card-date").dateTime = hit.published;
      part(".card-date").textContent = longDate(hit.published);
    }
    part(".excerpt").lang = hit.language;
    const [farBefore, farAfter] = card.querySelectorAll(".far");
    farBefore.textContent = text(0, nearLeft);
    part(".before").textContent = text(nearLeft, left);
    part("mark").textContent = text(left, right);
    part(".after").textContent = text(right, nearRight);
    farAfter.textContent = text(nearRight);
    const also = hit.also ?? [];
    part(".also").hidden = also.length === 0;
    also.forEach((one, position) => {
      const link = element("a", "", one.source && one.source !== hit.source ? one.source : one.title);
      link.href = articlePath(one.article_id);
      part(".also-places").append(position ? ", " : "", link);
    });
    foldable(card);
    return card;
  }

  showSentence({ sentence, citations }) {
    for (const citation of citations) this.citations.set(citation.number, citation);
    this.sentences.push(sentence);
    if (sentence.support === "unsupported") return "";
    const shown = element("span", "sentence", sentence.text);
    shown.dataset.support = sentence.support;
    for (const number of sentence.citations) {
      if (this.citations.has(number)) shown.append("\u2060", this.mark(this.citations.get(number)));
    }
    if (sentence.support === "partial") {
      const note = element("span", "partial", words.partial);
      note.title = words.partial_help;
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
    const label = words.open_source.replace("{n}", citation.number).replace("{title}", () => citation.title);
    link.setAttribute("aria-label", label);
    return link;
  }

  showCited() {
    const cards = this.root.querySelectorAll(".card");
    this.hits.forEach((hit, position) => {
      const numbers = [...this.citations.values()]
        .filter((one) => one.article_id === hit.article_id && one.start < hit.end && one.end > hit.start)
        .map((one) => `[${one.number}]`);
      const note = cards[position].querySelector(".card-cited");
      note.hidden = numbers.length === 0;
      note.textContent = `${words.cited} ${numbers.join("")}`;
    });
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
      const summary = this.find(".summary");
      summary.textContent = summaryOf(answer);
      summary.hidden = false;
    } else {
      this.find(".declined-note").hidden = false;
      this.find(".declined-text").lang = answer.language;
      this.find(".declined-text").textContent = answer.answer;
      this.find(".evidence-title").textContent = words.nearest;
    }
  }

  showStopped() {
    this.state = "stopped";
    const summary = this.find(".summary");
    summary.textContent = words.stopped;
    summary.hidden = false;
  }

  showError(code, retry) {
    this.state = "failed";
    this.find(".error-text").textContent = words[`error_${code}`] ?? words.error_internal;
    this.find(".turn-error").hidden = false;
    this.find(".retry").addEventListener("click", retry, { once: true });
  }
}

/** Gives a card its button, when it has more to show than it does. */
export function foldable(card) {
  const far = [...card.querySelectorAll(".far")];
  const button = card.querySelector(".expand");
  const folded = far.some((one) => one.textContent.trim() !== "");
  button.hidden = !folded;
  card.classList.toggle("folded", folded);
  far[0].classList.toggle("cut", far[0].textContent !== "");
  far[1].classList.toggle("cut", far[1].textContent !== "");
  button.addEventListener("click", () => {
    const open = !card.classList.toggle("folded");
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? words.collapse : words.expand;
  });
}

function wordStart(characters, position) {
  if (position <= 0) return 0;
  const space = characters.indexOf(" ", position);
  return space < 0 ? position : space + 1;
}

function wordEnd(characters, position) {
  if (position >= characters.length) return characters.length;
  const space = characters.lastIndexOf(" ", position - 1);
  return space < 0 ? position : space;
}

function summaryOf(answer) {
  const shown = answer.sentences.filter((one) => one.support !== "unsupported").length;
  const articles = new Set(answer.citations.map((one) => one.article_id)).size;
  const parts = [];
  if (shown) parts.push(counted("checked", shown) + (articles ? ` ${counted("in_articles", articles)}` : ""));
  if (answer.withheld) parts.push(counted("withheld", answer.withheld));
  const seconds = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  parts.push(words.seconds.replace("{n}", seconds.format(answer.timings.total_ms / 1000)));
  return parts.join(" · ");
}
