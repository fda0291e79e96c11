// One question to its end: sent, followed event by event, and sent again when the server is busy or the line is down.

import { readEvents } from "./event_stream.js";
import { announce, counted, words } from "./page.js";

const MOST_TRIES = 10;
const RETRY_S = 5; // where a refusal does not say when to come back

/**
 * Asks until there is an answer; `view` shows what is going on meanwhile, and `turn` gathers what came.
 * Returns null, or the code of what went wrong for good. Throws AbortError when `signal` says that the reader stopped.
 */
export async function askUntilAnswered(turn, view, history, signal) {
  for (let tries = 1; ; tries += 1) {
    view.state = "searching";
    announce(words.announce_searching);
    const problem = await askOnce(turn, view, history, signal);
    if (!problem) return null;
    if (problem.code === "offline") await waitUntilOnline(view, signal);
    else if (problem.seconds && tries < MOST_TRIES) await waitForTurn(problem, view, signal);
    else return problem.code;
    Object.assign(turn, { found: null, sentences: [] });
    view.clear();
  }
}

/** Returns null when answered, else {code, seconds}; seconds are there where asking again by itself makes sense. */
async function askOnce(turn, view, history, signal) {
  // A line that goes down may leave the stream silent for minutes: the browser knows sooner.
  const line = new AbortController();
  const drop = () => line.abort();
  signal.addEventListener("abort", drop);
  addEventListener("offline", drop);
  try {
    signal.throwIfAborted();
    const response = await fetch("/api/ask", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      // The words of the draft are never shown: the first one says that the model has begun to write.
      body: JSON.stringify({ question: turn.question, history, filters: turn.filters, stream: true, draft: true }),
      signal: line.signal,
    });
    if (!response.ok) return await problemOf(response);
    view.showAhead(Number(response.headers.get("X-Questions-Ahead")));
    return await follow(response, turn, view);
  } catch (error) {
    signal.throwIfAborted();
    if (!navigator.onLine) return { code: "offline" };
    console.warn(error);
    return { code: "network" };
  } finally {
    signal.removeEventListener("abort", drop);
    removeEventListener("offline", drop);
  }
}

async function follow(response, turn, view) {
  for await (const { event, data } of readEvents(response.body)) {
    const message = JSON.parse(data);
    if (event === "passages") {
      turn.found = message;
      view.showFound(message);
      view.state = "reading";
      if (message.passages.length) announce(counted("announce_found", message.passages.length));
    } else if (event === "token" && view.state === "reading") {
      view.state = "writing";
      announce(words.announce_writing);
    } else if (event === "sentence") {
      turn.sentences.push(message);
      announce(view.showSentence(message));
      view.state = "writing";
    } else if (event === "answer") {
      turn.answer = message;
      view.showAnswer(message);
      announce(message.answered ? words.announce_done : message.answer);
      return null;
    } else if (event === "error") {
      const { code } = message.error;
      const refused = !turn.found && ["busy", "not_ready"].includes(code);
      return { code, seconds: refused ? RETRY_S : 0 };
    }
  }
  return { code: navigator.onLine ? "network" : "offline" };
}

async function problemOf(response) {
  const seconds = [429, 503].includes(response.status) ? Number(response.headers.get("Retry-After")) || RETRY_S : 0;
  try {
    return { code: (await response.json()).error.code, seconds };
  } catch {
    return { code: "network", seconds }; // a proxy answered in the server's place
  }
}

async function waitForTurn({ code, seconds }, view, signal) {
  const text = words[`waiting_${code}`] ?? words.waiting_busy;
  announce(`${text} ${counted("waiting_next", seconds)}`); // once; the countdown itself is for the eyes
  await interruptible(view, signal, ["waiting", words.waiting_title, text, words.retry_now], (resolve) => {
    const ends = performance.now() + seconds * 1000;
    const tick = () => {
      const left = Math.ceil((ends - performance.now()) / 1000);
      if (left > 0) view.showCountdown(left);
      else resolve();
    };
    tick();
    const timer = setInterval(tick, 250);
    return () => clearInterval(timer);
  });
}

async function waitUntilOnline(view, signal) {
  announce(`${words.offline_title}. ${words.offline_text}`);
  await interruptible(view, signal, ["offline", words.offline_title, words.offline_text, words.retry], (resolve) => {
    addEventListener("online", resolve);
    return () => removeEventListener("online", resolve);
  });
}

/** Shows a problem until `begin` or the reader's button resolves it; throws AbortError when the reader stops. */
async function interruptible(view, signal, [state, title, text, button], begin) {
  let end = () => {};
  let stopped = () => {};
  try {
    await new Promise((resolve, reject) => {
      stopped = () => reject(signal.reason);
      signal.addEventListener("abort", stopped);
      view.showProblem(state, title, text, button, resolve);
      end = begin(resolve);
      if (signal.aborted) stopped();
    });
  } finally {
    end();
    signal.removeEventListener("abort", stopped);
  }
}
