// The page: reads what is asked, keeps it in the address so that Back works, and shows what comes back.

import * as api from "./api.js";
import { showAnswer, showAsking, showSentences } from "./answer.js";
import { openDetail } from "./detail.js";
import { make } from "./dom.js";
import { countable, named, orders, others, showFacets } from "./facets.js";
import { isJudged, judge, judgedIds, keepFor, recall, showJudged } from "./judged.js";
import { showError, showHits, showLoading, showNote } from "./gallery.js";
import { openWhy } from "./why.js";

const VARIED = "varied!"; // in the place of a field to sort by: hits unlike each other
const PAGE = 24; // hits a page: fills whole rows of 2, 3, 4 and 6
const $ = (id) => document.getElementById(id);
const page = { collection: "default", file: null, like: null, running: null, countable: [], counted: null };

const target = () => document.querySelector("input[name=target]:checked").value;
const say = (text) => ($("status").textContent = text);

// -- what is asked, and the address that says it ------------------------------------------------------------------

function asked(mode) {
  return {
    mode,
    q: $("query").value.trim(),
    where: $("where").value.trim(),
    without: $("without").value.trim(),
    target: target(),
    sort: $("sort").value,
    fold: $("fold").checked ? "" : "off",
    like: page.like?.id ?? "",
    part: page.like?.part ?? "",
    ...(mode === "search" ? judgedIds() : {}),
    c: page.collection,
  };
}

function remember(state) {
  const each = Object.entries(state).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const kept = each.filter(([, value]) => value && value !== "any" && value !== "search");
  const address = `?${new URLSearchParams(kept)}`;
  if (address !== location.search) history.pushState(null, "", address);
  document.title = state.q ? `${state.q} · Sightline` : "Sightline";
}

async function restore() {
  const state = new URLSearchParams(location.search);
  const text = (name) => state.get(name) ?? "";
  $("query").value = text("q");
  $("where").value = text("where");
  $("without").value = text("without");
  const radio = document.querySelector(`input[name=target][value="${CSS.escape(text("target") || "any")}"]`);
  if (radio) radio.checked = true;
  forget();
  if (text("c") && text("c") !== page.collection) await choose(text("c"));
  $("sort").value = text("sort");
  if ($("sort").selectedIndex < 0) $("sort").value = "";
  $("fold").checked = text("fold") !== "off";
  if (text("like")) resemble({ id: text("like"), part: text("part") });
  recall(said(), { liked: state.getAll("liked"), disliked: state.getAll("disliked") });
  if (text("q") || text("like")) await (text("mode") === "ask" ? ask() : search());
  else land();
}

function land() {
  page.running?.abort();
  document.body.classList.add("landing");
  $("answer").hidden = $("arrange").hidden = $("judged").hidden = true;
  $("results").replaceChildren();
  say("");
}

// -- the picture to search with -------------------------------------------------------------------------------------

function forget() {
  page.file = page.like = null;
  $("file").value = "";
  $("picture").hidden = true;
}

function take(file) {
  page.like = null;
  page.file = file;
  const url = URL.createObjectURL(file);
  $("preview").onload = $("preview").onerror = () => URL.revokeObjectURL(url);
  $("preview").src = url;
  $("picture-name").textContent = file.name && file.name !== "image.png" ? file.name : "your picture";
  $("picture").hidden = false;
}

function resemble(like) {
  page.file = null;
  page.like = like;
  $("picture-name").textContent = `like ${like.title ?? like.id}`;
  $("preview").removeAttribute("src");
  if (like.part) api.showPicture($("preview"), page.collection, like.part).catch(() => {});
  $("picture").hidden = false;
}

// The picture of a request; an item liked for its words gives none.
async function image() {
  if (page.file) return page.file;
  return page.like?.part ? api.pictureBlob(page.collection, page.like.part) : null;
}

// -- the two things one can do --------------------------------------------------------------------------------------

async function run(mode, work, { remembered = false } = {}) {
  page.running?.abort();
  const running = (page.running = new AbortController());
  document.body.classList.remove("landing");
  if (!remembered) remember(asked(mode));
  $("results").setAttribute("aria-busy", "true");
  try {
    await work(running.signal);
  } catch (error) {
    if (error.name === "AbortError" || running.signal.aborted) return;
    $("answer").hidden = true;
    say("");
    showError($("results"), error.message);
  } finally {
    if (page.running === running) $("results").removeAttribute("aria-busy");
  }
}

// What the boxes ask for; null when that is nothing.
function wanted() {
  const like = page.like;
  const query = $("query").value.trim() || (like && !like.part ? (like.title ?? like.id) : "");
  if (!query && !page.file && !like) return null;
  const negative = $("without").value.split(",").map((text) => text.trim());
  const fold = $("fold").checked ? "true" : "";
  const where = $("where").value.trim();
  const order = $("sort").value === VARIED ? { diversity: 0.3 } : { sort: $("sort").value };
  return { query, where, negative, target: target(), exclude: like?.id, ...judgedIds(), ...order, fold, k: PAGE };
}

// What hits are judged for: the words and the picture, not the filter, the order or the collection.
const said = () => [$("query").value.trim(), page.file?.name, page.file?.lastModified, page.like?.id].join("\n");

function onJudge(side, hit) {
  judge(side, hit, said());
  search();
}

// The first page, or with `after` (what was asked, the hits shown so far and the cursor behind them) the next one.
function search(after = null) {
  if (!after) keepFor(said());
  const fields = after?.fields ?? wanted();
  if (!fields) return $("query").focus();
  const next = async (signal) => {
    $("answer").hidden = true;
    $("arrange").hidden = false;
    showJudged($("judged"), search);
    say("Searching…");
    if (!after) showLoading($("results"));
    const picture = after ? after.picture : await image();
    const found = await api.search(page.collection, { ...fields, cursor: after?.cursor }, picture, signal);
    const shown = [...(after?.hits ?? []), ...found.hits];
    if (!after) count(fields.where, signal);
    if (!shown.length) {
      say(["Nothing matches.", ...found.warnings].join(" "));
      const tips = "Try other words, or fewer of them";
      const anyway = () => search({ fields: { ...fields, least: "0" }, picture, hits: [] });
      const nearest = make("button", { type: "button", class: "secondary more", onclick: anyway }, "Show what is nearest");
      const told = fields.where ? `${tips}, or loosen the filter.` : `${tips}.`;
      showNote($("results"), "Nothing matches", told, ...(found.answered === null ? [] : [nearest]));
      return;
    }
    const items = `${shown.length} ${shown.length === 1 ? "item" : "items"}`;
    say([`${items} in ${Math.round(found.took_ms)} ms`, ...found.warnings].join(" · "));
    const onMore = found.cursor ? () => search({ fields, picture, hits: shown, cursor: found.cursor }) : null;
    const onOpen = (hit) => open(hit.id, { hit });
    const onWhy = (hit) => why(hit, fields, picture);
    const doing = { onOpen, onWhy, onMore, onJudge, judgedAs: isJudged };
    showHits($("results"), found.hits, { collection: page.collection, ...doing, after: after?.hits });
  };
  return run("search", next, { remembered: Boolean(after) });
}

// The facets of the filter: they do not depend on what is sought, so they are asked for when the filter changes, and
// behind the hits. A field that was chosen from is counted without that choice, else its other values were gone.
async function count(where, signal) {
  if (page.counted === where || !page.countable.length) return;
  const over = async (filter, names) => {
    const asked = { query: "anything", where: filter, facets: names, k: 1, rerank: "false" };
    return (await api.search(page.collection, asked, null, signal)).facets;
  };
  try {
    const facets = await over(where, page.countable);
    for (const [at, { field }] of facets.entries()) {
      const rest = others(where, field);
      if (rest !== where) [facets[at]] = await over(rest, [field]);
    }
    page.counted = where;
    showFacets($("facets"), facets, where, (filter) => (($("where").value = filter), search()));
  } catch (error) {
    if (error.name !== "AbortError") say(`The values could not be counted: ${error.message}`);
  }
}

function ask() {
  const fields = { question: $("query").value.trim(), where: $("where").value.trim() };
  if (!fields.question) return $("query").focus();
  return run("ask", async (signal) => {
    say("Reading what is indexed…");
    $("arrange").hidden = $("judged").hidden = true;
    $("results").replaceChildren();
    const text = showAsking($("answer"));
    const onOpen = (citation) => open(citation.id, { citation });
    const [sentences, citations] = [[], new Map()];
    let whole = null;
    const show = () => showSentences(text, sentences, citations, onOpen);
    await api.ask(page.collection, fields, await image(), signal, {
      sentence: (data) => (sentences.push(data.text), show()),
      citation: (data) => (citations.set(data.marker, data), show()),
      answer: (data) => (whole = data),
    });
    if (!whole) throw new Error("The answer broke off.");
    const sources = whole.citations.length === 1 ? "1 piece of evidence" : `${whole.citations.length} pieces of evidence`;
    say(whole.abstained ? "No answer was found." : `${sources}, ${(whole.took_ms / 1000).toFixed(1)} s`);
    await showAnswer($("answer"), whole, { collection: page.collection, onOpen });
  });
}

async function open(id, { hit, citation } = {}) {
  try {
    await openDetail($("detail"), id, { collection: page.collection, hit, citation, onLike, onOpen: open });
  } catch (error) {
    showError($("results"), error.message);
  }
}

async function why(hit, asked, picture) {
  try {
    await openWhy($("detail"), hit, { collection: page.collection, asked, image: picture });
  } catch (error) {
    say(`It cannot be explained: ${error.message}`);
  }
}

function onLike(item, part) {
  const pictures = item.parts.filter((one) => one.modality === "image").map((one) => one.id);
  resemble({ id: item.id, title: item.title, part: part ?? pictures[0] ?? "" });
  $("query").value = "";
  search();
  scrollTo({ top: 0 });
}

// -- what there is to search ----------------------------------------------------------------------------------------

function hint(field) {
  const add = () => {
    const before = $("where").value.trimEnd();
    $("where").value = `${before}${before ? " and " : ""}${named(field.name)} ${field.numeric ? "< " : "= "}`;
    $("where").focus();
  };
  return make("button", { type: "button", class: "hint", title: "Filter by it", onclick: add }, field.name);
}

async function choose(name) {
  page.collection = name;
  $("collection").value = name;
  const facts = await api.facts(name);
  $("facts").textContent = `${facts.items.toLocaleString()} ${facts.items === 1 ? "item" : "items"}`;
  $("facts").title = [facts.encoder, facts.text_encoder, facts.store].filter(Boolean).join(", ");
  const fields = facts.fields.filter((field) => field.name !== "title").sort((a, b) => b.count - a.count).slice(0, 10);
  const example = fields.find((field) => field.numeric) ?? fields[0];
  $("where").placeholder = example ? `${named(example.name)} ${example.numeric ? "< 50" : "in (…, …)"}` : "";
  page.countable = countable(facts.fields);
  page.counted = null;
  $("facets").replaceChildren();
  const ways = [["", "Best match first"], [VARIED, "Varied"], ...orders(facts.fields)];
  $("sort").replaceChildren(...ways.map(([value, label]) => make("option", { value }, label)));
  $("hints").hidden = !fields.length;
  $("hints").replaceChildren(make("span", {}, "Fields:"), ...fields.map(hint));
  if (!facts.items) return empty();
}

function empty() {
  say("");
  document.body.classList.remove("landing");
  const again = make("button", { type: "button", class: "primary", onclick: () => location.reload() }, "Look again");
  showNote(
    $("results"),
    "Nothing is indexed yet",
    "Add a folder of pictures and texts, or a catalog, in a terminal:",
    make("pre", {}, make("code", {}, "sightline index FOLDER_OR_CATALOG")),
    make("p", { class: "muted" }, "Use the same --index as this service. What is added is found at once."),
    again,
  );
}

async function start() {
  const known = await api.collections();
  if (!known.collections.length) return empty();
  $("collection").replaceChildren(...known.collections.map((name) => make("option", { value: name }, name)));
  $("collection-label").hidden = known.collections.length < 2;
  await choose(known.collections.includes(known.default) ? known.default : known.collections[0]);
  await restore();
}

// -- events ---------------------------------------------------------------------------------------------------------

api.onKeyNeeded(
  (wrong) =>
    new Promise((resolve) => {
      if (wrong) $("key-wrong").textContent = "That key was not right. Try again.";
      $("key-value").value = "";
      $("key").onclose = () => resolve($("key-value").value || null);
      if (!$("key").open) $("key").showModal();
    }),
);

$("form").addEventListener("submit", (event) => (event.preventDefault(), search()));
$("ask").addEventListener("click", ask);
$("more-options").addEventListener("click", () => {
  const expanded = $("form").classList.toggle("expanded");
  $("more-options").setAttribute("aria-expanded", String(expanded));
});
$("forget").addEventListener("click", () => (forget(), $("query").focus()));
$("file").addEventListener("change", () => $("file").files[0] && (take($("file").files[0]), search()));
$("collection").addEventListener("change", async () => (await choose($("collection").value), $("query").value ? search() : land()));
$("detail").addEventListener("click", (event) => event.target === $("detail") && $("detail").close());
for (const control of [$("sort"), $("fold"), ...document.querySelectorAll("input[name=target]")]) {
  control.addEventListener("change", () => document.body.classList.contains("landing") || search());
}
addEventListener("popstate", restore);

addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "/" && !typing && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    $("query").select();
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form === $("form")) {
    event.preventDefault();
    ask();
  }
});

const pictureIn = (transfer) => [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/") || !file.type);
const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
const dropping = (on) => document.body.classList.toggle("dropping", on);

addEventListener("dragover", (event) => carriesFiles(event) && (event.preventDefault(), dropping(true)));
addEventListener("dragleave", (event) => event.relatedTarget === null && dropping(false));
addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  dropping(false);
  const file = pictureIn(event.dataTransfer);
  if (file) (take(file), search());
  else say("That is not a picture.");
});
addEventListener("paste", (event) => {
  const file = pictureIn(event.clipboardData);
  if (file) (event.preventDefault(), take(file), search());
});

start().catch((error) => showError($("results"), error.message));
