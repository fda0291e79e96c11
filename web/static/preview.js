// The quote over its mark, on hover and on focus. It stays while the pointer is on it, and Escape takes it away
// (WCAG 1.4.13).

import { readable, unbroken } from "./page.js";

const LEAVE_MS = 250; // to get from the mark to the quote
const preview = document.getElementById("preview");
let leaving = 0;
let shown = null; // the mark that the quote belongs to

/** Previews the marks inside `where`; `find` gives {citation, language} of a mark, or null. */
export function previewMarks(where, find) {
  for (const [shows, hides] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
    where.addEventListener(shows, (event) => {
      const link = event.target.closest("a.cite");
      const found = link && find(link);
      if (found) show(link, found);
    });
    where.addEventListener(hides, (event) => {
      if (event.target.closest("a.cite")) leave();
    });
  }
}

export function hidePreview() {
  clearTimeout(leaving);
  preview.hidden = true;
  shown?.removeAttribute("aria-describedby");
  shown = null;
}

function show(link, { citation, language }) {
  hidePreview();
  const title = preview.querySelector(".preview-title");
  const quote = preview.querySelector(".preview-quote");
  title.textContent = unbroken(citation.title);
  quote.textContent = readable(citation.quote);
  title.lang = quote.lang = language;
  preview.hidden = false;
  shown = link;
  link.setAttribute("aria-describedby", "preview");
  place();
}

function place() {
  if (!shown) return;
  const mark = shown.getBoundingClientRect();
  const box = preview.getBoundingClientRect();
  const left = Math.min(Math.max(8, mark.left - 24), document.documentElement.clientWidth - box.width - 8);
  const above = mark.top - box.height - 4;
  preview.style.left = `${left}px`;
  preview.style.top = `${above > 8 ? above : mark.bottom + 4}px`;
}

function leave() {
  clearTimeout(leaving);
  leaving = setTimeout(hidePreview, LEAVE_MS);
}

preview.addEventListener("mouseenter", () => clearTimeout(leaving));
preview.addEventListener("mouseleave", leave);
addEventListener("scroll", place, { passive: true }); // a mark that takes the focus is scrolled into view
addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || preview.hidden) return;
    hidePreview();
    event.stopPropagation(); // what lies below stays open
  },
  { capture: true },
);
