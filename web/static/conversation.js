// A conversation as it is kept and exported: {version, id, started, turns}.
// A turn is {id, question, filters, asked, found, sentences, answer, stopped, verdict}; times are milliseconds since 1970.

export const VERSION = 1;

export function newConversation() {
  return { version: VERSION, id: newId(), started: Date.now(), turns: [] };
}

export function newTurn(question, filters) {
  const asked = Date.now();
  return { id: newId(), question, filters, asked, found: null, sentences: [], answer: null, stopped: false, verdict: "" };
}

/** The shown text of a turn: all of the answer, or the sentences that came before it was stopped. */
export function answerText(turn) {
  return turn.answer ? turn.answer.answer : shownSentences(turn).map((one) => one.text).join(" ");
}

export function shownSentences(turn) {
  const sentences = turn.answer ? turn.answer.sentences : turn.sentences.map((one) => one.sentence);
  return sentences.filter((one) => one.support !== "unsupported");
}

/** Every citation of a turn once, in the order of their numbers. */
export function citationsOf(turn) {
  const all = turn.answer ? turn.answer.citations : turn.sentences.flatMap((one) => one.citations);
  return [...new Map(all.map((one) => [one.number, one])).values()].sort((one, other) => one.number - other.number);
}

/** The earlier turns as the API takes them, within its limits. */
export function pastTurns(turns, limits) {
  const told = turns
    .map((turn) => ({ question: turn.question, answer: answerText(turn) }))
    .filter((turn) => turn.answer !== "");
  return limits.turns ? told.slice(-limits.turns).map((turn) => ({ ...turn, answer: cut(turn.answer, limits.turn) })) : [];
}

function cut(text, longest) {
  return Array.from(text).slice(0, longest).join("");
}

function newId() {
  // crypto.randomUUID is not there on a page over plain http.
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
