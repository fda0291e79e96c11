// The panel of earlier conversations: open one again, take it along, delete it, delete them all.

import { conversationAsJson, conversationAsMarkdown, download, fileName } from "./export.js";
import { clone, counted, moment, said, unbroken, words } from "./page.js";
import { canKeep, forget, forgetAll, keptConversations } from "./store.js";

const dialog = document.getElementById("history");
const entries = document.getElementById("history-entries");
const status = document.getElementById("history-status");
const sure = document.getElementById("delete-sure");
const all = document.getElementById("delete-all");
const FORMATS = {
  markdown: ["md", "text/markdown", conversationAsMarkdown],
  json: ["json", "application/json", conversationAsJson],
};

/** Opens the panel on click. `current()` is the conversation on the page, `open(one)` shows another, `gone(id)` is told
 * what was deleted: an id, or null for all. */
export function setUpHistory({ current, open, gone }) {
  document.getElementById("open-history").addEventListener("click", () => {
    status.textContent = canKeep() ? "" : words.history_refused;
    fill();
    dialog.showModal();
  });
  document.getElementById("history-close").addEventListener("click", () => dialog.close());
  all.addEventListener("click", () => ask(true));
  document.getElementById("delete-no").addEventListener("click", () => ask(false));
  document.getElementById("delete-yes").addEventListener("click", () => {
    forgetAll();
    gone(null);
    fill();
    say(words.announce_all_deleted);
  });

  function fill() {
    const kept = keptConversations();
    const here = current();
    // What is on the page is listed, and can be exported, even where nothing can be kept.
    const unkept = here.turns.length && !kept.some((one) => one.id === here.id) ? [here] : [];
    const listed = [...unkept, ...kept];
    entries.replaceChildren(...listed.map((one) => entry(one, one.id === here.id)));
    if (!listed.length && !status.textContent) status.textContent = words.history_empty;
    sure.hidden = true;
    all.hidden = listed.length === 0;
  }

  function entry(conversation, isCurrent) {
    const made = clone("entry-template");
    const title = conversation.turns[0].question;
    const button = made.querySelector(".entry-open");
    button.textContent = unbroken(title);
    button.addEventListener("click", () => {
      dialog.close();
      if (!isCurrent) open(conversation);
    });
    const time = made.querySelector("time");
    time.dateTime = new Date(conversation.started).toISOString();
    time.textContent = moment(conversation.started);
    made.querySelector(".entry-count").textContent = counted("questions", conversation.turns.length);
    made.querySelector(".entry-this").hidden = !isCurrent;
    for (const one of made.querySelectorAll("[data-export]")) {
      const [extension, type, write] = FORMATS[one.dataset.export];
      one.setAttribute("aria-label", said("export_as", { format: one.textContent, title }));
      one.addEventListener("click", () => download(fileName(conversation, extension), type, write(conversation)));
    }
    const remove = made.querySelector(".delete");
    remove.setAttribute("aria-label", said("delete_one", { title }));
    remove.addEventListener("click", () => {
      forget(conversation.id);
      gone(conversation.id);
      fill();
      say(words.announce_deleted);
    });
    return made;
  }
}

function ask(asking) {
  sure.hidden = !asking;
  all.hidden = asking;
  (asking ? document.getElementById("delete-no") : all).focus();
}

/** Says what was done; the focus goes there too, for the button that had it is gone. */
function say(text) {
  status.textContent = text;
  status.tabIndex = -1;
  status.focus();
}
