// The page: the box to ask in, the conversation below it, and what is kept of it. Start here.

import { askUntilAnswered } from "./asking.js";
import { foldable } from "./cards.js";
import { newConversation, newTurn, pastTurns } from "./conversation.js";
import { chosenFilters, showFilters } from "./filters.js";
import { setUpHistory } from "./history.js";
import { announce, page, silence, words } from "./page.js";
import { previewMarks } from "./preview.js";
import { readHere } from "./reader.js";
import { closeConversation, keep, onForgotten, openConversation } from "./store.js";
import { TurnView } from "./turn.js";
import { showTools } from "./turn_tools.js";

const RECHECK_MS = 2000;

const form = document.getElementById("ask-form");
const box = document.getElementById("question");
const section = document.getElementById("conversation");
const stop = document.getElementById("stop");
const fresh = document.getElementById("new-conversation");
const views = new WeakMap(); // .turn -> TurnView

let conversation = newConversation();
let asking = null; // AbortController of the answer under way
let awake = page.ready;
let toldFull = false;

function show(turn) {
  const view = new TurnView(turn.question, turn.filters);
  views.set(view.root, view);
  section.append(view.root);
  showMode();
  return view;
}

async function ask(question, filters) {
  const here = conversation;
  const turn = newTurn(question, filters);
  const history = pastTurns(here.turns, page.limits);
  here.turns.push(turn);
  const view = show(turn);
  view.root.scrollIntoView({ block: "start" });
  const mine = new AbortController();
  asking = mine;
  showMode();
  try {
    const code = await askUntilAnswered(turn, view, history, mine.signal);
    if (code) fail(here, turn, view, code);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    turn.stopped = true;
    view.showStopped();
    if (here === conversation) announce(words.stopped);
  }
  if (turn.answer || turn.stopped) finish(here, turn, view);
  if (asking !== mine) return; // another conversation was opened meanwhile
  asking = null;
  showMode();
}

function finish(here, turn, view) {
  if (turn.answer || turn.sentences.length) showTools(view, turn, () => save(here));
  save(here);
}

function fail(here, turn, view, code) {
  here.turns = here.turns.filter((one) => one !== turn); // a question without an answer is no turn of the history
  const text = words[`error_${code}`] ?? words.error_internal;
  view.showProblem("failed", words.error_title, text, words.retry, () => {
    if (asking) return;
    view.root.remove();
    ask(turn.question, turn.filters);
  });
  announce(`${words.error_title}. ${text}`);
}

function save(one) {
  const ended = one.turns.filter((turn) => turn.answer || turn.stopped);
  if (!ended.length || one.forgotten) return;
  const outcome = keep({ ...one, turns: ended });
  if (outcome === "full" && !toldFull) {
    toldFull = true;
    announce(words.history_full);
    document.getElementById("notice").textContent = words.history_full;
  }
}

/** Shows a kept conversation. What cannot be shown was kept by another version of this page, or by somebody else. */
function open(kept) {
  clear();
  try {
    for (const turn of kept.turns) restore(turn);
    conversation = kept;
    keep(kept); // this tab shows it now, and again after a reload
    announce(words.announce_reopened);
  } catch (error) {
    console.warn(error);
    clear();
  }
}

function restore(turn) {
  const view = show(turn);
  if (turn.found) view.showFound(turn.found);
  for (const sentence of turn.sentences) view.showSentence(sentence);
  if (turn.answer) view.showAnswer(turn.answer);
  else view.showStopped();
  if (turn.answer || turn.sentences.length) showTools(view, turn, () => save(conversation));
}

function clear({ focus = true } = {}) {
  asking?.abort();
  asking = null;
  conversation = newConversation();
  closeConversation();
  section.replaceChildren();
  silence();
  showMode();
  scrollTo(0, 0);
  if (focus) box.focus();
}

function showMode() {
  const empty = section.childElementCount === 0;
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
  ask(question, chosenFilters());
}

async function wakeUp() {
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
document.getElementById("suggestions")?.addEventListener("click", (event) => {
  const link = event.target.closest("a.suggestion");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  box.value = new URL(link.href).searchParams.get("q");
  send();
});
section.addEventListener("click", readHere);
previewMarks(section, (link) => {
  const view = views.get(link.closest(".turn"));
  const citation = view?.citations.get(Number(link.dataset.number));
  return citation && { citation, language: view.hits.find((one) => one.article_id === citation.article_id)?.language ?? "" };
});
setUpHistory({
  current: () => conversation,
  open,
  gone: (id) => {
    if (id !== null && id !== conversation.id) return;
    conversation.forgotten = true; // an answer under way must not bring it back
    clear({ focus: false });
  },
});
// Deleted in another tab: this page still shows it, and keeps it no more.
onForgotten((id) => {
  if (id === null || id === conversation.id) conversation.forgotten = true;
});

document.getElementById("open-history").hidden = false;
section.querySelectorAll(".card").forEach(foldable); // a page that the form without script has made
const linked = Boolean(box.value) && new URLSearchParams(location.search).has("q");
const before = linked || section.childElementCount ? null : openConversation();
if (before) open(before);
showMode();
showFilters();
fit();
if (linked) history.replaceState(null, "", location.pathname); // a reload must not ask again
if (!awake) await wakeUp();
if (linked) send();
