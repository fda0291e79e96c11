// A card: one passage as evidence. The server's offsets count characters, JavaScript's count UTF-16 units.

import { articlePath, clone, element, longDate, readable, unbroken, words } from "./page.js";

const CONTEXT = 110; // characters beside what a folded card highlights; as in web/turn_view.py

export function makeCard(hit) {
  const card = clone("card-template");
  const part = (selector) => card.querySelector(selector);

  card.dataset.article = hit.article_id;
  card.dataset.rank = hit.rank;
  card.classList.toggle("first", hit.rank === 1);
  part(".card-link").textContent = unbroken(hit.title);
  part(".card-link").lang = hit.language;
  part(".card-source").textContent = hit.source ?? "";
  if (hit.published) {
    part(".card-date").dateTime = hit.published;
    part(".card-date").textContent = longDate(hit.published);
  }
  part(".excerpt").lang = hit.language;
  const also = hit.also ?? [];
  part(".also").hidden = also.length === 0;
  also.forEach((one, position) => {
    const link = element("a", "", one.source && one.source !== hit.source ? one.source : one.title);
    link.href = articlePath(one.article_id);
    part(".also-places").append(position ? ", " : "", link);
  });
  showExcerpt(card, hit, []);
  foldable(card);
  return card;
}

/** Says on each card which citations lie in its passage, and shows them there instead of the sentence found. */
export function showCited(cards, hits, citations) {
  hits.forEach((hit, position) => {
    const inside = (one) => one.article_id === hit.article_id && one.start < hit.end && one.end > hit.start;
    const cited = citations.filter(inside);
    const card = cards[position];
    const note = card.querySelector(".card-cited");
    note.hidden = cited.length === 0;
    note.textContent = `${words.cited} ${cited.map((one) => `[${one.number}]`).join("")}`;
    showExcerpt(card, hit, cited);
    const cut = markCuts(card);
    if (card.classList.contains("folded")) card.querySelector(".expand").hidden = !cut;
  });
}

/** The passage, with what is cited of it highlighted, or else the sentence found; as in web/turn_view.py. */
function showExcerpt(card, hit, cited) {
  const characters = Array.from(hit.text);
  const text = (from, to) => readable(characters.slice(from, to).join(""));
  const part = (selector) => card.querySelector(selector);
  const highlighted = highlightedSpans(hit, cited, characters.length);
  const [left, right] = [highlighted[0].start, highlighted.at(-1).end];
  const nearLeft = hit.rank === 1 ? 0 : wordStart(characters, left - CONTEXT);
  const nearRight = hit.rank === 1 ? characters.length : wordEnd(characters, right + CONTEXT);
  const [farBefore, farAfter] = card.querySelectorAll(".far");
  const runs = [];
  let place = left;
  for (const { start, end } of highlighted) {
    if (place < start) runs.push(text(place, start));
    runs.push(element("mark", "", text(start, end)));
    place = end;
  }
  part(".card-link").href = articlePath(hit.article_id, hit.start + left, hit.start + highlighted[0].end);
  farBefore.textContent = text(0, nearLeft);
  part(".before").textContent = text(nearLeft, left);
  part(".highlighted").replaceChildren(...runs);
  part(".after").textContent = text(right, nearRight);
  farAfter.textContent = text(nearRight);
}

/** By the passage's characters and in their order, overlapping ones joined. */
function highlightedSpans(hit, cited, length) {
  const spans = [];
  for (const one of [...cited].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const start = Math.max(one.start - hit.start, 0);
    const end = Math.min(one.end - hit.start, length);
    const before = spans.at(-1);
    if (before && start <= before.end) before.end = Math.max(before.end, end);
    else spans.push({ start, end });
  }
  return spans.length ? spans : [{ start: hit.sentence.start - hit.start, end: hit.sentence.end - hit.start }];
}

/** Gives a card its button, when it has more to show than it does. */
export function foldable(card) {
  const button = card.querySelector(".expand");
  card.classList.toggle("folded", markCuts(card));
  button.hidden = !card.classList.contains("folded");
  button.addEventListener("click", () => {
    const open = !card.classList.toggle("folded");
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? words.collapse : words.expand;
  });
}

/** Marks where a folded card cuts its passage; gives whether it does. */
function markCuts(card) {
  const far = [...card.querySelectorAll(".far")];
  for (const one of far) one.classList.toggle("cut", one.textContent !== "");
  return far.some((one) => one.textContent.trim() !== "");
}

function wordStart(characters, position) {
  if (position <= 0) return 0;
  const space = characters.indexOf(" ", position);
  return space < 0 ? position : space + 1;
}

function wordEnd(characters, position) {
  if (position >= characters.length) return characters.length;
  const space = characters.lastIndexOf(" ", position - 1);
  return space < 0 ? position : space;
}
