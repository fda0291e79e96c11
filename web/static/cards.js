// A card: one passage as evidence. The server's offsets count characters, JavaScript's count UTF-16 units.

import { articlePath, clone, element, longDate, readable, unbroken, words } from "./page.js";

const CONTEXT = 110; // characters beside the best sentence of a folded card; as in web/turn_view.py

export function makeCard(hit) {
  const card = clone("card-template");
  const part = (selector) => card.querySelector(selector);
  const characters = Array.from(hit.text);
  const left = hit.sentence.start - hit.start;
  const right = hit.sentence.end - hit.start;
  const first = hit.rank === 1;
  const nearLeft = first ? 0 : wordStart(characters, left - CONTEXT);
  const nearRight = first ? characters.length : wordEnd(characters, right + CONTEXT);
  const text = (from, to) => readable(characters.slice(from, to).join(""));

  card.dataset.article = hit.article_id;
  card.dataset.rank = hit.rank;
  card.classList.toggle("first", first);
  part(".card-link").textContent = unbroken(hit.title);
  part(".card-link").lang = hit.language;
  part(".card-link").href = articlePath(hit.article_id, hit.sentence.start, hit.sentence.end);
  part(".card-source").textContent = hit.source ?? "";
  if (hit.published) {
    part(".card-date").dateTime = hit.published;
    part(".card-date").textContent = longDate(hit.published);
  }
  part(".excerpt").lang = hit.language;
  const [farBefore, farAfter] = card.querySelectorAll(".far");
  farBefore.textContent = text(0, nearLeft);
  part(".before").textContent = text(nearLeft, left);
  part("mark").textContent = text(left, right);
  part(".after").textContent = text(right, nearRight);
  farAfter.textContent = text(nearRight);
  const also = hit.also ?? [];
  part(".also").hidden = also.length === 0;
  also.forEach((one, position) => {
    const link = element("a", "", one.source && one.source !== hit.source ? one.source : one.title);
    link.href = articlePath(one.article_id);
    part(".also-places").append(position ? ", " : "", link);
  });
  foldable(card);
  return card;
}

/** Says on each card which citations lie in its passage. */
export function showCited(cards, hits, citations) {
  hits.forEach((hit, position) => {
    const numbers = citations
      .filter((one) => one.article_id === hit.article_id && one.start < hit.end && one.end > hit.start)
      .map((one) => `[${one.number}]`);
    const note = cards[position].querySelector(".card-cited");
    note.hidden = numbers.length === 0;
    note.textContent = `${words.cited} ${numbers.join("")}`;
  });
}

/** Gives a card its button, when it has more to show than it does. */
export function foldable(card) {
  const far = [...card.querySelectorAll(".far")];
  const button = card.querySelector(".expand");
  const folded = far.some((one) => one.textContent.trim() !== "");
  button.hidden = !folded;
  card.classList.toggle("folded", folded);
  far[0].classList.toggle("cut", far[0].textContent !== "");
  far[1].classList.toggle("cut", far[1].textContent !== "");
  button.addEventListener("click", () => {
    const open = !card.classList.toggle("folded");
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? words.collapse : words.expand;
  });
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
