// Why a hit is where it is: channels as bars, the words it says and does not say, and a map over its picture.

import { explain, showPicture } from "./api.js";
import { make } from "./dom.js";
import { regionOver } from "./region.js";

const CHANNELS = { clip: "Picture", dense: "Meaning", words: "Words" };
const ADJUSTED = {
  first: "The query is its name or id: it goes before all others.",
  last: "It says what is not wanted: it goes behind all others.",
};
const percent = (share) => `${Math.round(share * 100)} %`;

function section(title, ...children) {
  const shown = children.filter(Boolean);
  return shown.length ? make("section", { class: "reason" }, make("h3", {}, title), ...shown) : null;
}

function channel(one, most) {
  const fill = make("span", { class: "fill" });
  fill.style.width = `${most ? Math.max(0, (100 * one.added) / most) : 0}%`;
  const likeness = one.channel === "words" ? (one.score === null ? null : `${percent(one.score)} of the words`)
    : (one.cosine === null ? null : `likeness ${one.cosine.toFixed(2)}`);
  const place = one.place === null ? "not among its first" : `place ${one.place.toLocaleString()}`;
  const notes = [one.box ? "by the region outlined" : null, one.lent ? "counts twice, for it has no other kind" : null];
  const told = [place, likeness, ...notes].filter(Boolean).join(" · ");
  return make(
    "div",
    { class: "channel", title: `adds ${one.added.toFixed(5)} to the score` },
    make("span", {}, CHANNELS[one.channel] ?? one.channel),
    make("span", { class: "bar", "aria-hidden": "true" }, fill),
    make("span", { class: "muted" }, told),
  );
}

const place = (one) => (one.in === "field" ? (one.field ?? "a field") : one.in);

function word(one) {
  const where = [...new Set(one.said.map(place))].join(", ");
  const share = `${percent(one.share)} of the query`;
  const instead = Object.entries(one.instead).map(([name, value]) => `${name} is “${value}”`);
  const tail = make("small", {}, [where || "not said", ...instead].join(" · "));
  return make("li", { class: one.said.length ? "word" : "word unsaid", title: share }, make("span", {}, one.word), " ", tail);
}

function term(one, alone) {
  const name = one.term.text ?? one.term.id ?? "your picture";
  const told = Object.entries(one.cosines).map(([kind, cosine]) => {
    const part = kind === "image" ? "picture" : "text";
    return `${part} ${cosine.toFixed(2)}${kind in one.added && !alone ? `, adds ${one.added[kind].toFixed(2)}` : ""}`;
  });
  const weight = one.weight < 0 ? "not wanted · " : "";
  return make("div", { class: "term" }, make("span", {}, name), make("span", { class: "muted" }, weight + told.join(" · ")));
}

function pushed(one) {
  const told = one.channel ? `${CHANNELS[one.channel]}: back by ${one.cost.toFixed(1)} deviations` : "it says so, and goes behind all others";
  return make("p", { class: "muted" }, `“${one.term}” is not wanted. ${told}.`);
}

function judged(one) {
  if (!one) return null;
  if (one.first === null) return make("p", { class: "muted" }, `Not judged by ${one.by}: ${one.why}.`);
  const told = `log-odds ${one.first.toFixed(2)} before, ${one.weight} × ${one.said.toFixed(2)} by it`;
  return make("p", { class: "muted" }, `${one.by}: ${told}; ${one.why}.`);
}

function odds(title, share, reasons) {
  if (share === null) return null;
  const first = [...reasons].sort((a, b) => Math.abs(b.added) - Math.abs(a.added)).slice(0, 6);
  const rows = first.map((one) => make("div", {}, make("dt", {}, one.name), make("dd", {}, one.added.toFixed(2))));
  const told = `${title}: ${percent(share)}`;
  return rows.length ? make("details", {}, make("summary", {}, told), make("dl", {}, ...rows)) : make("p", {}, told);
}

function said(found) {
  const most = Math.max(...found.channels.map((one) => one.added), 0);
  const wanted = found.terms.filter((one) => one.weight > 0).length;
  const adjusted = Object.keys(found.adjustments).map((name) => ADJUSTED[name]).filter(Boolean);
  return [
    section("What found it", ...found.channels.map((one) => channel(one, most)), ...adjusted.map((one) => make("p", { class: "muted" }, one))),
    found.words.length ? section("Words", make("ul", { class: "said-words" }, ...found.words.map(word))) : null,
    found.terms.length > 1 ? section("Terms", ...found.terms.map((one) => term(one, wanted < 2))) : null,
    section("What put it back", ...found.pushed.map(pushed)),
    section("Looked at again", judged(found.reranked)),
    section("How sure", odds("It answers", found.relevance, found.relevance_of), odds("Anything here answers", found.answered, found.answered_of)),
  ];
}

// The picture that was found, with the region it was found by; `seen` is what the picture channel made of the item.
function frame(hit, seen, collection) {
  const under = make("img", { class: "large", alt: "" });
  showPicture(under, collection, seen?.part ?? hit.picture).catch(() => under.remove());
  const region = seen?.box ? regionOver(under, seen.box) : null;
  const told = make("p", { class: "muted", role: "status" }, "Looking where the picture answers…");
  const mapped = make("div", { class: "mapped" }, under, region);
  return { under, told, whole: make("div", { class: "pictures" }, mapped, told) };
}

// Lays the map over the picture; with several terms, buttons choose which of them is shown.
function lay({ under, told, whole }, maps) {
  if (!maps.length) return told.replaceChildren("There is no map: nothing of the query is looked for in pictures.");
  const layer = make("img", { class: "layer", alt: "", src: maps[0].layer });
  under.after(layer);
  const names = [...maps.map((one) => one.term || (maps.length > 1 ? "All of it" : "Map")), "No map"];
  const buttons = names.map((name, n) => {
    const choose = () => {
      layer.hidden = n === maps.length;
      if (!layer.hidden) layer.src = maps[n].layer;
      buttons.forEach((one, m) => one.setAttribute("aria-pressed", String(n === m)));
    };
    return make("button", { type: "button", class: "hint", "aria-pressed": String(n === 0), onclick: choose }, name);
  });
  const legend = make("p", { class: "legend" }, "less like it", make("span", { class: "ramp", "aria-hidden": "true" }), "more like it");
  told.replaceWith(legend);
  whole.append(make("div", { class: "copies" }, ...buttons));
}

// `asked` is what the search was asked with, `image` its picture.
export async function openWhy(dialog, hit, { collection, asked, image }) {
  const fields = { ...asked, id: hit.id, k: Math.max(asked.k, hit.rank) };
  const found = await explain(collection, fields, image);
  const seen = found.channels.find((one) => one.channel === "clip");
  const picture = hit.picture ? frame(hit, seen, collection) : null;
  const close = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "✕");
  const where = found.rank === null ? found.absent : `Hit ${found.rank}`;
  const heading = make("h2", { id: "detail-title" }, `Why “${hit.title}”`);
  const words = make("div", { class: "words" }, heading, make("p", { class: "muted id" }, where), ...said(found).filter(Boolean));
  dialog.replaceChildren(close, make("div", { class: "columns" }, picture?.whole ?? "", words));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  close.focus();
  if (!picture) return;
  try {
    lay(picture, (await explain(collection, { ...fields, map: true }, image)).maps);
  } catch (error) {
    picture.told.replaceChildren(`There is no map: ${error.message}`);
  }
}
