// An answer as it streams in: sentences whose [n] open what they rest on, and the evidence below them.

import { item, showPicture } from "./api.js";
import { make } from "./dom.js";
import { regionOver } from "./region.js";

export function showAsking(where) {
  const text = make("p", { class: "text" }, make("span", { class: "thinking" }, "Reading…"));
  where.replaceChildren(text);
  where.hidden = false;
  return text;
}

// `text` as nodes, every [n] that has a citation a button.
function cited(text, citations, onOpen) {
  return text.split(/(\[\d+\])/).map((piece) => {
    const citation = /^\[\d+\]$/.test(piece) ? citations.get(Number(piece.slice(1, -1))) : undefined;
    if (!citation) return piece;
    const label = `Evidence ${citation.marker}: ${citation.quote ?? "the picture"}, from ${citation.id}`;
    const open = () => onOpen(citation);
    return make("button", { type: "button", class: "cite", "aria-label": label, onclick: open }, citation.marker);
  });
}

async function picturedRow(citation, collection, onOpen) {
  const found = await item(collection, citation.id);
  const part = citation.part.modality === "image" ? citation.part : found.parts.find((one) => one.modality === "image");
  const frame = make("span", { class: "frame" });
  if (part) {
    const img = make("img", { alt: "" });
    img.addEventListener("load", () => img.classList.add("there"), { once: true });
    showPicture(img, collection, part.id).catch(() => frame.classList.add("missing"));
    frame.append(img);
    if (part.locator.box) frame.append(regionOver(img, part.locator.box, { cover: true }));
  } else {
    frame.classList.add("passage");
    frame.append("¶");
  }
  const quote = citation.quote ? make("q", {}, citation.quote) : make("span", { class: "muted" }, "the picture itself");
  return make(
    "button",
    { type: "button", class: "evidence", onclick: () => onOpen(citation) },
    make("span", { class: "marker", "aria-hidden": "true" }, citation.marker),
    frame,
    make("span", { class: "said" }, make("span", { class: "title" }, found.title), quote),
  );
}

export function showSentences(text, sentences, citations, onOpen) {
  text.replaceChildren(...cited(sentences.join(" "), citations, onOpen), make("span", { class: "thinking" }, " …"));
}

export async function showAnswer(where, answer, { collection, onOpen }) {
  const citations = new Map(answer.citations.map((citation) => [citation.marker, citation]));
  const text = make("p", { class: answer.abstained ? "text abstained" : "text" });
  text.append(...cited(answer.answer, citations, onOpen));
  const warnings = answer.warnings.map((warning) => make("p", { class: "muted" }, warning));
  where.replaceChildren(text, ...warnings);
  where.hidden = false;
  const rows = await Promise.all(answer.citations.map((citation) => picturedRow(citation, collection, onOpen)));
  if (rows.length) where.append(make("div", { class: "rows" }, ...rows));
}
