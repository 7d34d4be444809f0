// One item in full: its pictures, fields and texts, with what was found or quoted marked.

import { item, showPicture } from "./api.js";
import { linked, make, marked, words } from "./dom.js";
import { regionOver } from "./region.js";

const isTitle = (part) => part.locator.field === "title";

// `boxes`: where in which picture something was found, by part.
function pictures(parts, first, boxes, collection) {
  const images = parts.filter((part) => part.modality === "image");
  if (!images.length) return null;
  const large = make("img", { class: "large", alt: "" });
  const frame = make("div", {}, large);
  const choose = (part, button) => {
    frame.querySelector(".region")?.remove();
    frame.className = boxes.has(part.id) ? "mapped" : "";
    if (boxes.has(part.id)) frame.append(regionOver(large, boxes.get(part.id)));
    showPicture(large, collection, part.id).catch(() => large.removeAttribute("src"));
    for (const other of strip.children) other.setAttribute("aria-pressed", String(other === button));
  };
  const strip = make("div", { class: "strip" });
  images.forEach((part, n) => {
    const small = make("img", { alt: "" });
    showPicture(small, collection, part.id).catch(() => small.remove());
    const label = `Picture ${n + 1} of ${images.length}`;
    const button = make("button", { type: "button", "aria-label": label, onclick: () => choose(part, button) }, small);
    strip.append(button);
  });
  const start = Math.max(0, images.findIndex((part) => part.id === first));
  choose(images[start], strip.children[start]);
  return make("div", { class: "pictures" }, frame, images.length > 1 ? strip : null);
}

function fieldRows(fields, citation) {
  const cited = citation?.part.modality === "fields" || citation?.part.locator.field;
  return Object.entries(fields)
    .filter(([name]) => name !== "title")
    .map(([name, value]) => {
      const field = citation?.part.locator.field;
      const inQuote = field ? field === name : citation?.quote?.includes(`${name}: ${words(value)}`);
      const said = cited && inQuote ? make("mark", {}, words(value)) : linked(words(value));
      return make("div", {}, make("dt", {}, name), make("dd", {}, said));
    });
}

function texts(parts, matched, citation) {
  return parts
    .filter((part) => part.modality === "text" && !isTitle(part))
    .map((part) => {
      const quote = citation && citation.part.id === part.id ? citation.quote : null;
      const kind = quote || matched.has(part.id) ? "text matched" : "text";
      return make("p", { class: kind }, ...marked(part.text ?? "", quote));
    });
}

function copies(ids, onOpen) {
  if (!ids.length) return null;
  const buttons = ids.map((id) => make("button", { type: "button", class: "hint", onclick: () => onOpen(id) }, id));
  return make("div", { class: "copies" }, make("span", { class: "muted" }, "Looks the same:"), ...buttons);
}

// Opens `id`; `hit` says which parts matched, `citation` what was quoted from it.
export async function openDetail(dialog, id, { collection, hit, citation, onLike, onOpen }) {
  const found = await item(collection, id);
  const matched = new Set((hit?.parts ?? []).map((part) => part.id));
  const placed = [...(hit?.parts ?? []), ...(citation ? [citation.part] : [])].filter((part) => part.locator.box);
  const boxes = new Map(placed.map((part) => [part.id, part.locator.box]));
  const first = citation?.part.modality === "image" ? citation.part.id : (hit?.picture ?? null);
  const like = () => {
    dialog.close();
    onLike(found, first);
  };
  const quoted = citation && citation.part.modality === "text" && isTitle(citation.part) ? citation.quote : null;
  const close = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "✕");
  const fields = fieldRows(found.fields, citation);
  dialog.replaceChildren(
    close,
    make(
      "div",
      { class: "columns" },
      pictures(found.parts, first, boxes, collection),
      make(
        "div",
        { class: "words" },
        make("h2", { id: "detail-title" }, ...marked(found.title, quoted)),
        found.title === found.id ? null : make("p", { class: "muted id" }, found.id),
        fields.length ? make("dl", {}, ...fields) : null,
        ...texts(found.parts, matched, citation),
        copies(hit?.folded ?? [], onOpen),
        make(
          "div",
          { class: "actions" },
          make("button", { type: "button", class: "primary", onclick: like }, "More like this"),
        ),
      ),
    ),
  );
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  dialog.querySelector("mark")?.scrollIntoView({ block: "center" });
  close.focus();
}
