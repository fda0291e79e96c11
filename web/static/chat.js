// The conversation: asks, shows what comes, keeps the turns of this tab, and sends them with a follow-up.

import { readEvents } from "./event_stream.js";
import { hidePreview, readHere, showPreview } from "./reader.js";
import { TurnView, counted, foldable, page, words } from "./turn.js";

const KEPT = "sourcier-turns"; // in sessionStorage: this tab only, gone when it closes
const RECHECK_MS = 2000;
const FILTERS = ["since", "until", "source"];

const form = document.getElementById("ask-form");
const box = document.getElementById("question");
const conversation = document.getElementById("conversation");
const live = document.getElementById("live");
const stop = document.getElementById("stop");
const fresh = document.getElementById("new-conversation");
const views = new WeakMap(); // .turn -> TurnView

let turns = []; // {question, found, sentences, answer, stopped} in order
let asking = null; // AbortController of the answer under way
let awake = page.ready;

function add(question) {
  const view = new TurnView(question);
  const turn = { question, found: null, sentences: [], answer: null, stopped: false };
  turns.push(turn);
  views.set(view.root, view);
  conversation.append(view.root);
  showMode();
  return { turn, view };
}

async function ask(question) {
  const history = pastTurns();
  const { turn, view } = add(question);
  view.root.scrollIntoView({ block: "start" });
  asking = new AbortController();
  showMode();
  const retry = () => {
    turns = turns.filter((one) => one !== turn);
    view.root.remove();
    ask(question);
  };
  try {
    const response = await fetch("/api/ask", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      body: JSON.stringify({ question, history, filters: filters(), stream: true }),
      signal: asking.signal,
    });
    const problem = response.ok ? await follow(response, turn, view) : await codeOf(response);
    if (problem) fail(turn, view, problem, retry);
  } catch (error) {
    if (error.name === "AbortError") {
      turn.stopped = true;
      view.showStopped();
      announce(words.stopped);
    } else fail(turn, view, "network", retry);
  }
  asking = null;
  keep();
  showMode();
}

/** The articles that the reader wants looked at, as the API takes them; empty fields are left out. */
function filters() {
  const given = new FormData(form);
  return Object.fromEntries(FILTERS.map((name) => [name, given.get(name)]).filter(([, value]) => value));
}

function showFilters() {
  const count = Object.keys(filters()).length;
  document.getElementById("filter-count").textContent = count ? `(${count})` : "";
  form.elements.until.min = form.elements.since.value;
}

/** Shows each event as it comes; returns the code of what went wrong, or null when the answer is there. */
async function follow(response, turn, view) {
  for await (const { event, data } of readEvents(response.body)) {
    const message = JSON.parse(data);
    if (event === "passages") {
      turn.found = message;
      view.showFound(message);
      view.state = "reading";
      if (message.passages.length) announce(counted("announce_found", message.passages.length));
    } else if (event === "sentence") {
      turn.sentences.push(message);
      announce(view.showSentence(message));
      view.state = "checking";
    } else if (event === "answer") {
      turn.answer = message;
      view.showAnswer(message);
      announce(message.answered ? words.announce_done : message.answer);
      return null;
    } else if (event === "error") return message.error.code;
  }
  return "network";
}

async function codeOf(response) {
  try {
    return (await response.json()).error.code;
  } catch {
    return "network"; // a proxy answered in the server's place
  }
}

function fail(turn, view, code, retry) {
  turns = turns.filter((one) => one !== turn); // a question without an answer is no turn of the history
  view.showError(code, retry);
  announce(`${words.error_title}. ${view.find(".error-text").textContent}`);
  if (code === "not_ready") wakeUp();
}

function pastTurns() {
  const { turns: most, turn: longest } = page.limits;
  const told = turns
    .map((turn) => ({ question: turn.question, answer: answerText(turn) }))
    .filter((turn) => turn.answer !== "");
  return most ? told.slice(-most).map((turn) => ({ ...turn, answer: cut(turn.answer, longest) })) : [];
}

function answerText(turn) {
  return turn.answer ? turn.answer.answer : turn.sentences.map((one) => one.sentence.text).join(" ");
}

function cut(text, longest) {
  return Array.from(text).slice(0, longest).join("");
}

function announce(text) {
  if (!text) return;
  const line = document.createElement("p");
  line.textContent = text;
  live.append(line);
  while (live.children.length > 6) live.firstElementChild.remove();
}

function keep() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(turns.filter((turn) => turn.answer || turn.stopped)));
  } catch {
    // Storage is full or forbidden: the conversation lives as long as the page does.
  }
}

function restore() {
  let kept = [];
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
    for (const old of kept) {
      const { turn, view } = add(old.question);
      Object.assign(turn, old);
      if (old.found) view.showFound(old.found);
      for (const sentence of old.sentences) view.showSentence(sentence);
      if (old.answer) view.showAnswer(old.answer);
      else view.showStopped();
    }
  } catch {
    clear(); // kept by another version of this page
  }
}

function clear() {
  asking?.abort();
  turns = [];
  conversation.replaceChildren();
  live.replaceChildren();
  keep();
  showMode();
  scrollTo(0, 0);
  box.focus();
}

function showMode() {
  const empty = conversation.childElementCount === 0;
  document.body.classList.toggle("empty", empty);
  fresh.hidden = empty;
  box.placeholder = empty ? words.question_placeholder : words.follow_up_placeholder;
  stop.hidden = asking === null;
  document.getElementById("ask").hidden = asking !== null;
  document.getElementById("ask").disabled = !awake;
  document.getElementById("waking").hidden = awake;
}

function fit() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
}

function send() {
  const question = box.value.trim();
  if (!question || asking || !awake) return;
  if (!form.reportValidity()) return; // "until" before "since": the browser says so beside the field
  box.value = "";
  fit();
  ask(question);
}

async function wakeUp() {
  awake = false;
  showMode();
  while (!awake) {
    await new Promise((resolve) => setTimeout(resolve, RECHECK_MS));
    try {
      awake = (await fetch("/readyz")).ok;
    } catch {
      awake = false; // the server is being restarted
    }
  }
  showMode();
  box.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
box.addEventListener("input", fit);
document.getElementById("filters").addEventListener("input", showFilters);
box.addEventListener("keydown", (event) => {
  // While an input method composes a word, Enter chooses that word.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
stop.addEventListener("click", () => {
  asking?.abort();
  box.focus();
});
fresh.addEventListener("click", (event) => {
  event.preventDefault();
  clear();
});
conversation.addEventListener("click", readHere);
for (const [shows, hides] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  conversation.addEventListener(shows, (event) => {
    const link = event.target.closest("a.cite");
    const citation = link && views.get(link.closest(".turn"))?.citations.get(Number(link.dataset.number));
    if (citation) showPreview(link, citation);
  });
  conversation.addEventListener(hides, hidePreview);
}
addEventListener("scroll", hidePreview, { passive: true });
addEventListener("pagehide", keep);

document.body.classList.add("scripted");
document.querySelectorAll("#conversation .card").forEach(foldable); // a page that the form without script has made
if (!conversation.childElementCount) restore();
showMode();
showFilters();
fit();
if (!awake) wakeUp();
if (box.value && new URLSearchParams(location.search).has("q")) {
  history.replaceState(null, "", location.pathname); // a reload must not ask again
  send();
}
