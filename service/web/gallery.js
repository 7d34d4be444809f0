// The hits as a gallery of cards, and what stands there while there are none. Knows nothing of requests.

import { showPicture } from "./api.js";
import { make, words } from "./dom.js";
import { regionOver } from "./region.js";

const CHANNELS = {
  clip: ["picture", "Found by what the picture shows"],
  dense: ["meaning", "Found by what the text means"],
  words: ["words", "Found by the words themselves"],
  id: ["name", "Found by its name or id"],
  fields: ["like these", "Has values that liked items have"],
  rerank: ["reranked", "Looked at again by a reranker"],
};
const LONG_VALUE = 40; // beyond it a value is a text, not a fact to show at a glance

// The fields most hits have with short values, a number among them where there is one.
export function keyFields(hits, limit = 3) {
  const counts = new Map();
  const numbers = new Set();
  for (const { fields } of hits) {
    for (const [name, value] of Object.entries(fields)) {
      const text = words(value);
      if (name === "title" || !text || text.length > LONG_VALUE) continue;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      if (typeof value === "number") numbers.add(name);
    }
  }
  const common = [...counts].filter(([, count]) => count * 2 >= hits.length);
  const ranked = common.sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const chosen = ranked.slice(0, limit);
  const number = ranked.slice(limit).find((name) => numbers.has(name));
  return number && !chosen.some((name) => numbers.has(name)) ? [...chosen.slice(0, -1), number] : chosen;
}

// A string says what it is by itself ("blue"); a number or a yes needs its name ("price 14.5").
function fact(name, value) {
  const text = typeof value === "string" || Array.isArray(value) ? words(value) : `${name} ${words(value)}`;
  return make("span", { title: `${name}: ${words(value)}` }, text);
}

function picture(hit, collection) {
  const frame = make("span", { class: "frame" });
  if (hit.picture) {
    const img = make("img", { alt: "", loading: "lazy", decoding: "async" });
    img.addEventListener("load", () => img.classList.add("there"), { once: true });
    showPicture(img, collection, hit.picture).catch(() => frame.classList.add("missing"));
    frame.append(img);
    const box = hit.parts.find((part) => part.id === hit.picture)?.locator.box;
    if (box) frame.append(regionOver(img, box, { cover: true }));
    return frame;
  }
  const passage = hit.parts.find((part) => part.modality === "text" && part.locator.field !== "title") ?? hit.parts[0];
  frame.classList.add("passage");
  frame.append((passage?.text ?? "").replace(/^#+\s*/, "")); // a Markdown heading's marks are no words
  return frame;
}

function copies(hit) {
  const count = hit.folded.length;
  if (!count) return null;
  const title = `${count === 1 ? "A near-duplicate is" : `${count} near-duplicates are`} folded under it: open it to see`;
  return make("span", { class: "alike", title }, `+${count} alike`);
}

// "More like this", "less like this" and "why" stand over a corner of the picture.
function tools(hit, { onJudge, onWhy, judgedAs }) {
  const say = (side, label, sign) => {
    const pressed = String(judgedAs(side, hit.id));
    const told = `${label} ${hit.title}`;
    return make("button", { type: "button", class: "why", "aria-label": told, title: label, "aria-pressed": pressed, onclick: () => onJudge(side, hit) }, sign);
  };
  return make(
    "span",
    { class: "tools" },
    say("liked", "More like", "+"),
    say("disliked", "Less like", "−"),
    make("button", { type: "button", class: "why", "aria-label": `Why ${hit.title}`, onclick: () => onWhy(hit) }, "Why?"),
  );
}

function card(hit, { collection, names, onOpen, ...doing }) {
  const shown = names.filter((name) => name in hit.fields);
  const parted = shown.flatMap((name, n) => [n ? " · " : null, fact(name, hit.fields[name])]);
  const facts = make("span", { class: "facts" }, ...parted);
  const via = hit.via.map((channel) => {
    const [name, title] = CHANNELS[channel] ?? [channel, channel];
    return make("span", { class: "via", title }, name);
  });
  const known = hit.relevance !== null;
  const score = known ? `${Math.round(hit.relevance * 100)} %` : hit.score.toFixed(3);
  return make(
    "li",
    {},
    make(
      "button",
      { type: "button", class: "card", onclick: () => onOpen(hit) },
      picture(hit, collection),
      make(
        "span",
        { class: "caption" },
        make("span", { class: "title" }, hit.title),
        shown.length ? facts : null,
        make("span", { class: "found" }, ...via, copies(hit), make("span", { class: "score", title: known ? "relevance" : "score" }, score)),
      ),
    ),
    tools(hit, doing),
  );
}

// The first page takes the place of what was there; a later one, with `after` (the pages before), is added to it.
export function showHits(where, hits, { onMore, after = [], ...doing }) {
  const names = keyFields(after.length ? after : hits);
  const cards = hits.map((hit) => card(hit, { names, ...doing }));
  if (after.length) {
    where.querySelector(".more")?.remove();
    where.querySelector(".gallery").append(...cards);
    cards[0]?.querySelector("button").focus({ preventScroll: true });
  } else where.replaceChildren(make("ol", { class: "gallery" }, ...cards));
  if (onMore) where.append(make("button", { type: "button", class: "secondary more", onclick: onMore }, "Show more"));
}

export function showLoading(where, count = 8) {
  const ghosts = Array.from({ length: count }, () => make("li", { class: "ghost" }));
  where.replaceChildren(make("ol", { class: "gallery", "aria-hidden": "true" }, ...ghosts));
}

export function showNote(where, title, ...lines) {
  const body = lines.map((line) => (typeof line === "string" ? make("p", {}, line) : line));
  where.replaceChildren(make("div", { class: "note" }, make("h2", {}, title), ...body));
}

export function showError(where, message) {
  showNote(where, "That did not work", message.charAt(0).toUpperCase() + message.slice(1));
  where.firstChild.classList.add("error");
  where.firstChild.setAttribute("role", "alert");
}
