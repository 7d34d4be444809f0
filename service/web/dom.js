// Builds elements. Text goes in as text: nothing from a catalog is ever read as HTML.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function words(value) {
  if (Array.isArray(value)) return value.map(words).join(", ");
  if (value === true) return "yes";
  if (value === false) return "no";
  return typeof value === "number" ? Number(value.toPrecision(10)).toString() : String(value);
}

// The text with every occurrence of `quote` marked; spacing and case may differ.
export function marked(text, quote) {
  const pattern = quote?.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\s+");
  if (!pattern) return [text];
  return text.split(new RegExp(`(${pattern})`, "giu")).map((piece, n) => (n % 2 ? make("mark", {}, piece) : piece));
}

// Only http(s) addresses become links.
export function linked(text) {
  if (!/^https?:\/\/\S+$/i.test(text)) return text;
  return make("a", { href: text, target: "_blank", rel: "noopener noreferrer" }, text);
}
