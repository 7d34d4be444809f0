// Counted values to narrow a search by, each a condition of the filter one can read and change. Knows nothing of requests.

import { make, words } from "./dom.js";

const ASKED = 6; // fields counted at most
const SHOWN = 4; // and shown
const KEYWORDS = /^(and|or|not|in|exists|true|false|id)$/i;

// A field as a filter names it: anything but a plain word in backticks.
export const named = (name) =>
  /^[A-Za-z_]\w*$/.test(name) && !KEYWORDS.test(name) ? name : `\`${name.replace(/[\\`]/g, "\\$&")}\``;

const written = (value) => (typeof value === "string" ? `"${value.replace(/[\\"]/g, "\\$&")}"` : String(value));

// The fields worth counting: those most items have.
export function countable(fields) {
  const common = fields.filter((field) => field.name !== "title").sort((a, b) => b.count - a.count);
  return common.slice(0, ASKED).map((field) => field.name);
}

// [condition, label, count] for everything a facet counts.
function choices({ field, values, ranges }) {
  const name = named(field);
  const counted = values.map(({ value, count }) => [`${name} = ${written(value)}`, words(value), count]);
  for (const { from, to, count } of ranges) {
    const [low, high] = [from === null ? "" : `${name} >= ${from}`, to === null ? "" : `${name} < ${to}`];
    const label = !low ? `under ${words(to)}` : !high ? `${words(from)} and more` : `${words(from)} to ${words(to)}`;
    counted.push([[low, high].filter(Boolean).join(" and "), label, count]);
  }
  return counted;
}

// The conditions that must all hold, as they are written; what has an "or" at its top is one.
function conditions(where) {
  const tokens = where.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[()]|[^\s()"'`]+|\s+/g) ?? [];
  const pieces = [""];
  let depth = 0;
  for (const token of tokens) {
    depth += token === "(" ? 1 : token === ")" ? -1 : 0;
    if (!depth && /^or$/i.test(token)) return [`(${where})`];
    if (!depth && /^and$/i.test(token)) pieces.push("");
    else pieces[pieces.length - 1] += token;
  }
  return pieces.map((piece) => piece.trim()).filter(Boolean);
}

const isOf = (field) => (piece) => {
  const name = named(field);
  return piece.startsWith(name) && /^\s*(=|<|>=)\s*("|-?[\d.]|true$|false$)/.test(piece.slice(name.length));
};

const chosen = (where, field) => conditions(where).filter(isOf(field)).join(" and ");

// The filter without what was chosen of one field: what its other values are counted over.
export function others(where, field) {
  const all = conditions(where);
  const rest = all.filter((piece) => !isOf(field)(piece));
  return rest.length < all.length ? rest.join(" and ") : where;
}

// Whether a field puts items into groups, and does not merely name them one by one.
function telling({ values, ranges }) {
  const items = values.reduce((sum, { count }) => sum + count, 0);
  return ranges.length > 1 || items >= 2 * values.length;
}

// One select a facet; `onChoose(where)` is told the filter that a choice makes.
export function showFacets(element, facets, where, onChoose) {
  const selects = facets.filter(telling).slice(0, SHOWN).map((facet) => {
    const [now, rest] = [chosen(where, facet.field), others(where, facet.field)];
    const counted = choices(facet);
    if (now && !counted.some(([condition]) => condition === now)) counted.unshift([now, now, null]);
    const options = counted.map(([value, label, count]) => {
      const told = count === null ? label : `${label} (${count.toLocaleString()})`;
      return make("option", { value, selected: value === now }, told);
    });
    const kept = conditions(rest).length > 1 ? rest : (conditions(rest)[0] ?? "");
    const choose = (event) => onChoose([kept, event.target.value].filter(Boolean).join(" and "));
    return make(
      "select",
      { class: now ? "facet chosen" : "facet", "aria-label": `Only one ${facet.field}`, onchange: choose },
      make("option", { value: "" }, `Any ${facet.field}`),
      ...options,
      facet.more ? make("option", { disabled: true }, `and ${facet.more.toLocaleString()} more`) : null,
    );
  });
  element.replaceChildren(...selects);
}

// The ways to order hits by a field, as [value, label].
export function orders(fields) {
  const common = fields.filter((field) => field.name !== "title").sort((a, b) => b.count - a.count).slice(0, 10);
  return common.flatMap(({ name, numeric }) => {
    const [up, down] = numeric ? ["lowest first", "highest first"] : ["A to Z", "Z to A"];
    return [[name, `${name}, ${up}`], [`-${name}`, `${name}, ${down}`]];
  });
}
