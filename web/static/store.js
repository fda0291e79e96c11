// Conversations kept in this browser: one key each, so that two tabs never write over each other's.
// Storage may be refused (private windows, settings) or full; then the page goes on without it.

import { VERSION } from "./conversation.js";

const PREFIX = "sourcier-conversation-";
const OPEN = "sourcier-open"; // in sessionStorage: which conversation this tab shows
const MOST_KEPT = 100;

/** Keeps a conversation; returns "kept", "full" or "refused". The oldest ones make room. */
export function keep(conversation) {
  let storage;
  try {
    storage = localStorage;
    sessionStorage.setItem(OPEN, conversation.id);
  } catch {
    return "refused";
  }
  const text = JSON.stringify(conversation);
  const others = () => keptConversations().filter((one) => one.id !== conversation.id);
  if (storage.length > MOST_KEPT) others().slice(MOST_KEPT - 1).forEach((one) => forget(one.id));
  for (;;) {
    try {
      storage.setItem(PREFIX + conversation.id, text);
      return "kept";
    } catch {
      const oldest = others().at(-1);
      if (!oldest) return "full";
      forget(oldest.id);
    }
  }
}

/** The conversations that can be read, newest first; [] where storage is refused. */
export function keptConversations() {
  const found = [];
  for (const key of keys()) {
    try {
      const one = JSON.parse(localStorage.getItem(key));
      if (isConversation(one) && key === PREFIX + one.id) found.push(one);
    } catch {
      // Not one of ours, or of another version of this page: left alone until all are deleted.
    }
  }
  return found.sort((one, other) => other.started - one.started);
}

/** The conversation that this tab showed before it was reloaded, or null. */
export function openConversation() {
  try {
    const id = sessionStorage.getItem(OPEN);
    return keptConversations().find((one) => one.id === id) ?? null;
  } catch {
    return null;
  }
}

export function closeConversation() {
  try {
    sessionStorage.removeItem(OPEN);
  } catch {
    // Nothing was kept.
  }
}

export function forget(id) {
  localStorage.removeItem(PREFIX + id);
}

/** Deletes every conversation, those that cannot be read too. */
export function forgetAll() {
  for (const key of keys()) localStorage.removeItem(key);
  closeConversation();
}

export function canKeep() {
  try {
    localStorage.setItem(`${OPEN}-test`, "");
    localStorage.removeItem(`${OPEN}-test`);
    return true;
  } catch (error) {
    return error.name === "QuotaExceededError"; // full is not refused
  }
}

/** Calls `gone` with the id of a conversation that another tab has deleted, or null for all of them. */
export function onForgotten(gone) {
  addEventListener("storage", ({ key, newValue }) => {
    if (key === null) gone(null);
    else if (key.startsWith(PREFIX) && newValue === null) gone(key.slice(PREFIX.length));
  });
}

function keys() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  } catch {
    return [];
  }
}

function isConversation(one) {
  const { version, id, started, turns } = one ?? {};
  const whole = version === VERSION && typeof id === "string" && isMoment(started);
  return whole && Array.isArray(turns) && turns.length > 0 && turns.every(isTurn);
}

function isTurn(turn) {
  const { question, filters, asked, sentences, answer, stopped } = turn ?? {};
  const whole = typeof question === "string" && isMoment(asked) && filters && Array.isArray(sentences);
  return whole && (answer ? isAnswer(answer) : stopped === true);
}

function isAnswer({ answer, sentences, citations, passages }) {
  return typeof answer === "string" && [sentences, citations, passages].every(Array.isArray);
}

function isMoment(milliseconds) {
  return typeof milliseconds === "number" && Number.isFinite(new Date(milliseconds).getTime());
}
