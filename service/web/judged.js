// What was said of hits, "more like this" or "less": keeps it for the words it was said with, and shows it as chips.

import { make } from "./dom.js";

const MOST = 20; // of either: the address holds them
const judged = { said: "", liked: new Map(), disliked: new Map() }; // id -> title

export const judgedIds = () => ({ liked: [...judged.liked.keys()], disliked: [...judged.disliked.keys()] });
export const isJudged = (side, id) => judged[side].has(id);

// Said again, it is taken back; what was liked and is disliked now is no more liked.
export function judge(side, hit, said) {
  keepFor(said);
  const other = side === "liked" ? "disliked" : "liked";
  judged[other].delete(hit.id);
  if (!judged[side].delete(hit.id) && judged[side].size < MOST) judged[side].set(hit.id, hit.title);
}

// Another search is another wish: what was said of its hits does not hold.
export function keepFor(said) {
  if (said === judged.said) return;
  judged.said = said;
  judged.liked.clear();
  judged.disliked.clear();
}

export function recall(said, ids) {
  keepFor(null);
  judged.said = said;
  for (const side of ["liked", "disliked"]) for (const id of ids[side]) judged[side].set(id, id);
}

function chip(side, id, title, onChange) {
  const name = side === "liked" ? `more like ${title}` : `less like ${title}`;
  const undo = () => (judged[side].delete(id), onChange());
  return make("button", { type: "button", class: `hint ${side}`, title: "Take it back", onclick: undo }, `${name} ✕`);
}

export function showJudged(where, onChange) {
  const chips = ["liked", "disliked"].flatMap((side) => [...judged[side]].map(([id, title]) => chip(side, id, title, onChange)));
  where.hidden = !chips.length;
  where.replaceChildren(...chips);
}
