// What a reader thinks of an answer: a small form below it; nothing is sent before "send".

import { answerText, citationsOf } from "./conversation.js";
import { announce, clone, words } from "./page.js";

/** Opens the form for a verdict, or closes the one that is open for it. */
export function openFeedback(view, turn, button, changed) {
  const { verdict } = button.dataset;
  const before = view.find("form.feedback");
  const again = before?.dataset.verdict === verdict;
  close(view);
  if (again) return;

  const form = clone("feedback-template");
  form.dataset.verdict = verdict;
  const reasons = form.querySelector(".reasons");
  if (verdict === "up") {
    reasons.remove();
    form.querySelector(".comment-label").textContent = words.feedback_up;
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(view, turn, form, changed);
  });
  const cancel = () => {
    close(view);
    button.focus();
  };
  form.querySelector(".cancel").addEventListener("click", cancel);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancel();
  });
  button.setAttribute("aria-expanded", "true");
  view.find(".turn-tools").after(form);
  form.querySelector("input, textarea").focus();
}

export function showThanks(view) {
  close(view);
  const thanks = document.createElement("p");
  thanks.className = "thanks";
  thanks.textContent = words.thanks;
  thanks.tabIndex = -1;
  view.find(".verdict")?.replaceWith(thanks);
  return thanks;
}

function close(view) {
  view.find("form.feedback")?.remove();
  for (const button of view.root.querySelectorAll("[data-verdict][aria-expanded]")) {
    button.setAttribute("aria-expanded", "false");
  }
}

async function send(view, turn, form, changed) {
  const given = new FormData(form);
  const { verdict } = form.dataset;
  const problem = form.querySelector(".feedback-problem");
  problem.textContent = "";
  if (verdict === "down" && !given.get("reason")) {
    problem.textContent = words.reason_missing;
    form.querySelector("input").focus();
    return;
  }
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  const stored = await post({
    id: turn.id,
    verdict,
    reason: given.get("reason") ?? "",
    comment: given.get("comment"),
    question: turn.question,
    answer: answerText(turn),
    articles: [...new Set(citationsOf(turn).map((one) => one.article_id))],
  });
  button.disabled = false;
  if (!stored) {
    problem.textContent = words.feedback_failed;
    return;
  }
  turn.verdict = verdict;
  showThanks(view).focus();
  announce(words.thanks);
  changed();
}

async function post(feedback) {
  try {
    const headers = { "Content-Type": "application/json" };
    return (await fetch("/api/feedback", { method: "POST", headers, body: JSON.stringify(feedback) })).ok;
  } catch {
    return false;
  }
}
