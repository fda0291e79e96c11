// Which articles the reader wants looked at: read from the form, put into words, and into the address of a link.

import { longDate, said } from "./page.js";

const NAMES = ["since", "until", "source", "language"];
const form = document.getElementById("ask-form");

/** The filters as the API takes them; empty fields are left out. */
export function chosenFilters() {
  const given = new FormData(form);
  return Object.fromEntries(NAMES.map((name) => [name, given.get(name)]).filter(([, value]) => value));
}

export function showFilters() {
  const count = Object.keys(chosenFilters()).length;
  document.getElementById("filter-count").textContent = count ? `(${count})` : "";
  form.elements.until.min = form.elements.since.value;
}

/** The filters for people: "L’Écho du Val, à partir du 5 octobre 2025"; "" without any. */
export function describe(filters = {}) {
  const parts = [];
  if (filters.source) parts.push(filters.source);
  if (filters.language) parts.push(nameOfLanguage(filters.language));
  for (const name of ["since", "until"]) {
    if (filters[name]) parts.push(said(`filtered_${name}`, { value: longDate(filters[name]) }));
  }
  return parts.join(", ");
}

function nameOfLanguage(code) {
  const options = [...(form.elements.language?.options ?? [])];
  return options.find((one) => one.value === code)?.textContent ?? code;
}

/** The address that asks this question again, of the same articles. */
export function questionAddress(question, filters = {}) {
  const address = new URL("/", location.href);
  address.searchParams.set("q", question);
  for (const name of NAMES) if (filters[name]) address.searchParams.set(name, filters[name]);
  return address.href;
}
