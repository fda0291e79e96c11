// What the server put into the page (its words, its limits, the pieces to clone), and the region that is read aloud.

export const page = JSON.parse(document.getElementById("page-data").textContent);
export const words = page.words;
export const language = document.documentElement.lang;
const live = document.getElementById("live");
const MOST_ANNOUNCED = 6;

/** A sentence of the interface with its {names} filled in. */
export function said(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

export function counted(key, count) {
  return said(count === 1 ? `${key}_one` : `${key}_many`, { n: count });
}

/** A day as a newspaper writes it: the day as published, wherever the reader is, with no shift by time zone. */
export function longDate(iso) {
  const day = new Date(`${iso.slice(0, 10)}T00:00:00Z`);
  return new Intl.DateTimeFormat(locale(), { dateStyle: "long", timeZone: "UTC" }).format(day);
}

/** A moment on the reader's own clock. */
export function moment(milliseconds) {
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(milliseconds));
}

function locale() {
  return navigator.language.startsWith(language) ? navigator.language : language;
}

export function articlePath(id, start, end) {
  const path = "/articles/" + id.split("/").map(encodeURIComponent).join("/");
  return start === undefined ? path : `${path}?start=${start}&end=${end}#quote`;
}

/** An excerpt without the marks of Markdown and without empty lines, its French marks with their words; the article
 * page keeps every character. */
export function readable(text) {
  return unbroken(text)
    .replace(/^#{1,6}[ \t]+/gm, "")
    .replace(/\*\*/g, "")
    .replace(/(?<![\p{L}\p{N}_*])\*(\S[^*\n]*)\*(?![\p{L}\p{N}_*])/gu, "$1")
    .replace(/\n\s*\n/g, "\n");
}

/** French as a newspaper sets it: no line begins with a question mark, or ends with an opening quotation mark. */
export function unbroken(text) {
  return text.replace(/ (?=[?!;»])/g, "\u202f").replace(/« /g, "«\u202f").replace(/ :/g, "\u00a0:");
}

/** A new element; text is only ever text. */
export function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Lets a screen reader say one sentence. */
export function announce(text) {
  if (!text) return;
  live.append(element("p", "", text));
  while (live.children.length > MOST_ANNOUNCED) live.firstElementChild.remove();
}

export function silence() {
  live.replaceChildren();
}
