// The article beside the answer. Without this file its links lead to the article's page.

import { hidePreview } from "./preview.js";

const dialog = document.getElementById("reader");
const content = document.getElementById("reader-body");
const wide = matchMedia("(min-width: 62rem)");
let opener = null;

/** Opens an article's page in the reader, its quote in view; goes to the page itself when that fails. */
export async function openReader(link) {
  const address = link.href;
  let article = null;
  try {
    const response = await fetch(address.split("#")[0], { headers: { Accept: "text/html" } });
    // The server's own page, every text in it escaped there; a parsed document runs no script.
    const read = new DOMParser().parseFromString(await response.text(), "text/html");
    article = response.ok ? read.getElementById("article") : null;
  } catch {
    article = null;
  }
  if (!article) {
    location.assign(address);
    return;
  }
  hidePreview();
  opener = link;
  content.replaceChildren(document.adoptNode(article));
  content.scrollTop = 0;
  document.getElementById("reader-page").href = address;
  if (!dialog.open) {
    // Beside the conversation where there is room; over it, and keeping the focus inside, where there is not.
    if (wide.matches) dialog.show();
    else dialog.showModal();
    history.pushState({ reader: true }, "");
  }
  document.body.classList.add("with-reader");
  content.focus({ preventScroll: true });
  const quote = content.querySelector("#quote");
  if (quote) bringIntoView(quote);
}

/** Scrolls no further than needed: the article's title stays when the quote is near enough to it. */
function bringIntoView(quote) {
  const view = content.getBoundingClientRect();
  const place = quote.getBoundingClientRect();
  if (place.bottom > view.bottom - 24) content.scrollTop += place.top - view.top - view.height / 3;
}

function closeReader() {
  if (!dialog.open) return;
  dialog.close();
  document.body.classList.remove("with-reader");
  content.replaceChildren();
  opener?.focus();
  opener = null;
}

/** The browser's Back closes the reader first, as readers on a phone expect; so every way of closing goes back. */
function leaveReader() {
  if (history.state?.reader) history.back();
  else closeReader();
}

addEventListener("popstate", closeReader);
document.getElementById("reader-close").addEventListener("click", leaveReader);
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  leaveReader();
});
addEventListener("keydown", (event) => {
  const over = document.querySelector("dialog:modal, form.feedback:focus-within");
  if (event.key === "Escape" && dialog.open && !over) leaveReader();
});
content.addEventListener("click", (event) => {
  const link = event.target.closest("a[href='#quote']");
  if (!link) return;
  event.preventDefault();
  content.querySelector("#quote").scrollIntoView({ block: "center" });
});

/** Opens links to articles in the reader; a click that asks for a new tab or window keeps its meaning. */
export function readHere(event) {
  const link = event.target.closest("a.cite, a.card-link");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  openReader(link);
}
