// What a reader can do with an answer: copy it with its sources, copy a link to the question, say what it was worth.

import { openFeedback, showThanks } from "./feedback.js";
import { questionAddress } from "./filters.js";
import { turnAsText } from "./export.js";
import { announce, words } from "./page.js";

const SAID_MS = 2500;

/** Shows the tools of a turn that has ended; `changed` is called when something is to be kept. */
export function showTools(view, turn, changed) {
  const asked = (turn.answer ?? turn.found)?.standalone_question || turn.question;
  const copy = view.find(".copy");
  copy.hidden = !turn.answer?.answered && !turn.sentences.length;
  copy.onclick = () => copyAndSay(copy, turnAsText(turn), words.copied);
  const share = view.find(".share");
  // A follow-up means nothing without what came before it: the link asks it as it was searched.
  share.onclick = () => copyAndSay(share, questionAddress(asked, turn.filters), words.shared);
  const verdicts = view.find(".verdict");
  verdicts.hidden = !turn.answer;
  for (const button of verdicts.querySelectorAll("button")) {
    button.onclick = () => openFeedback(view, turn, button, changed);
  }
  if (turn.verdict) showThanks(view);
  view.find(".turn-tools").hidden = false;
}

async function copyAndSay(button, text, done) {
  const before = button.dataset.before ?? button.textContent;
  button.dataset.before = before;
  const copied = await copyText(text);
  button.textContent = copied ? done : before;
  announce(copied ? `${done}.` : words.copy_failed);
  if (!copied) return;
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = setTimeout(() => (button.textContent = before), SAID_MS);
}

/** Whether the text is on the clipboard now. Over plain http there is only the old way. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = document.createElement("textarea");
    box.value = text;
    box.className = "visually-hidden";
    const focused = document.activeElement;
    document.body.append(box);
    box.select();
    const copied = document.execCommand("copy");
    box.remove();
    focused?.focus();
    return copied;
  }
}
