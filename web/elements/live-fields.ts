/** Server-drawn values kept current: `data-k` names a record, `data-f` a field of it. */
import { live, type Fields, type Records } from "../live.ts";
import { shown, strings, text } from "../strings.ts";

export class LiveFields extends HTMLElement {
  #leave: (() => void) | undefined;
  #rows = new Map<string, HTMLElement>();
  #revision: unknown = undefined;

  connectedCallback(): void {
    for (const row of this.querySelectorAll<HTMLElement>("[data-k]")) this.#rows.set(row.dataset["k"]!, row);
    this.#leave = live.subscribe(this.dataset["topic"]!, (changed) => this.#take(changed));
  }

  disconnectedCallback(): void {
    this.#leave?.();
  }

  #take(changed: Records): void {
    for (const [key, fields] of Object.entries(changed)) {
      const row = this.#rows.get(key);
      if (row) showFields(row, fields);
      if (key === "commands") this.#refresh(fields["rev"]);
    }
  }

  /** The list of commands changed: fetch its fragment (HTML for lists, JSON for values). */
  #refresh(revision: unknown): void {
    const first = this.#revision === undefined;
    this.#revision = revision;
    const path = this.dataset["refresh"];
    if (!first && path) void swap(path, "#command-list");
  }
}

/** Fetch a fragment of a page by its element's id and put it in the place of the old one. */
export async function swap(path: string, target: string): Promise<void> {
  const { default: htmx } = await import("htmx.org");
  const headers = { "hx-request": "true", "hx-request-type": "partial", "hx-target": `div${target}` };
  const answer = await fetch(path, { headers });
  const old = document.querySelector(target);
  if (!answer.ok || !old) return;
  const drawn = document.createElement("template");
  drawn.innerHTML = await answer.text();
  const node = drawn.content.firstElementChild;
  if (!node) return;
  old.replaceWith(node);
  htmx.process(node);
}

function showFields(row: HTMLElement, fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    for (const node of row.querySelectorAll<HTMLElement>(`[data-f="${name}"]`)) {
      setText(node, spoken(name, value));
    }
    if (name === "st" && !row.dataset["bool"]) setState(row, String(value));
    if (name === "on" && row.dataset["bool"]) setState(row, value ? "ready" : "offline");
    if (name === "u") setUse(row, value as number | null);
  }
}

/** A value as people read it: connections and reported states in words. */
function spoken(name: string, value: Fields[string] | undefined): string {
  if (typeof value === "boolean") return text(value ? "connected" : "offline");
  if (name === "w" && typeof value === "string") return strings.status[value] ?? value;
  return shown(value);
}

function setState(row: HTMLElement, state: string): void {
  row.dataset["state"] = state;
  setShape(row.querySelector(".shape use"), state);
  const word = row.querySelector<HTMLElement>('[data-f="w2"]');
  if (word) setText(word, strings.tile[state] ?? state);
}

export function setUse(row: HTMLElement, use: number | null): void {
  const bar = row.querySelector<SVGElement>(".use .bar-fill");
  bar?.setAttribute("width", String(Math.min(100, use ?? 0)));
  const cell = row.querySelector<HTMLElement>("[data-use]") ?? row;
  cell.dataset["use"] = String(use ?? 0);
  cell.toggleAttribute("data-high", (use ?? 0) >= 98);
}

export function setShape(use: Element | null | undefined, name: string): void {
  const href = `#s-${name}`;
  if (use && use.getAttribute("href") !== href) use.setAttribute("href", href);
}

/** Write a text without replacing the node, and only when it differs. */
export function setText(node: Element, value: string): void {
  const child = node.firstChild;
  if (child instanceof Text && !child.nextSibling) {
    if (child.data !== value) child.data = value;
  } else if (node.textContent !== value) {
    node.textContent = value;
  }
}

customElements.define("live-fields", LiveFields);
