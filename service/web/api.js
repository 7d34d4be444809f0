// Talks to the service: one function a route, the key, and pictures that may need it. Knows nothing of the page.

const KEY = "sightline-key";
let askForKey = async () => null;

export class Failure extends Error {
  constructor(status, type, message) {
    super(message);
    this.status = status;
    this.type = type;
  }
}

// `ask(wrong)` must return a key, or null when the user gives up.
export function onKeyNeeded(ask) {
  askForKey = ask;
}

const key = () => sessionStorage.getItem(KEY);
const base = (collection) => `/v1/collections/${encodeURIComponent(collection)}`;
const path = (id) => id.split("/").map(encodeURIComponent).join("/");

async function call(url, options = {}) {
  for (;;) {
    const sent = key();
    const headers = { ...options.headers, ...(sent ? { "X-API-Key": sent } : {}) };
    let response;
    try {
      response = await fetch(url, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure(0, "Unreachable", "The service does not answer. Is it still running?");
    }
    if (response.status === 401) {
      const given = sent !== key() ? key() : await askForKey(Boolean(sent));
      if (given) {
        sessionStorage.setItem(KEY, given);
        continue;
      }
    }
    if (response.ok) return response;
    const told = await response.json().catch(() => null);
    throw new Failure(response.status, told?.error?.type ?? "Failure", told?.error?.message ?? response.statusText);
  }
}

const json = async (url, options) => (await call(url, options)).json();

export const collections = () => json("/v1/collections");
export const facts = (collection) => json(base(collection));
export const item = (collection, id) => json(`${base(collection)}/items/${path(id)}`);

// A form rather than JSON, so that a picture travels as it is.
function form(fields, image) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== "") data.append(name, one);
  }
  if (image) data.append("image", image, "image");
  return data;
}

export const search = (collection, fields, image, signal) =>
  json(`${base(collection)}/search`, { method: "POST", body: form(fields, image), signal });

export const explain = (collection, fields, image) =>
  json(`${base(collection)}/explain`, { method: "POST", body: form(fields, image) });

// Calls on[event](data) for every event of the answer's stream.
export async function ask(collection, fields, image, signal, on) {
  const response = await call(`${base(collection)}/ask`, {
    method: "POST",
    body: form({ ...fields, stream: "true" }, image),
    headers: { Accept: "text/event-stream" },
    signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const lines = event.split("\n");
      const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = JSON.parse(lines.find((line) => line.startsWith("data: "))?.slice(6) ?? "null");
      if (name === "error") throw new Failure(502, data.error.type, data.error.message);
      on[name]?.(data);
    }
  }
}

const pictureUrl = (collection, part) => `${base(collection)}/parts/${path(part)}/picture`;

export const pictureBlob = async (collection, part) => (await call(pictureUrl(collection, part))).blob();

// An <img> cannot send a key: with one, the picture is fetched and shown from memory.
export async function showPicture(img, collection, part) {
  if (!key()) {
    img.src = pictureUrl(collection, part);
    return;
  }
  const url = URL.createObjectURL(await pictureBlob(collection, part));
  img.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
  img.src = url;
}
