/** The depot board: tiles drawn by the server, kept current field by field, searched in place. */
import { live, type Fields, type Records } from "../live.ts";
import { number, shown, strings } from "../strings.ts";
import { setShape, setText, setUse, swap } from "./live-fields.ts";

const LISTS_EVERY_MS = 4_000;
const AT_RISK = "at_risk";
const SHORT = new Set([AT_RISK, "missed"]);

/** One tile (or table row) with its nodes found once. */
class Tile {
  readonly fields: Fields = {};
  readonly #nodes = new Map<string, Element>();
  readonly #shape: Element | null;
  readonly #outlookShape: Element | null;
  readonly #fill: Element | null;
  readonly #mark: Element | null;
  readonly #dash: string;

  constructor(readonly element: HTMLElement, readonly operators: Record<string, string>) {
    for (const node of element.querySelectorAll<HTMLElement>("[data-f]")) this.#nodes.set(node.dataset["f"]!, node);
    this.#shape = element.querySelector(".st use, .state use");
    this.#outlookShape = element.querySelector(".mark use, .outlook use");
    this.#fill = element.querySelector(".bar-fill");
    this.#mark = element.querySelector(".bar-mark");
    this.#dash = element.tagName === "TR" ? "–" : "";
  }

  take(fields: Fields): void {
    Object.assign(this.fields, fields);
    if ("p" in fields) this.#show("p", fields["p"] || this.#dash ? shown(fields["p"]) : "");
    if ("s" in fields) this.#charge(fields["s"] as number | null);
    if ("tg" in fields) this.#target(fields["tg"] as number | null);
    if ("v" in fields) this.#show("v", (fields["v"] as string | null) ?? this.#dash);
    if ("st" in fields) this.#state(fields["st"] as string);
    if ("o" in fields) this.#outlook(fields["o"] as string);
    if ("sf" in fields || "d" in fields) this.#departure();
    if ("r" in fields) this.#show("r", (fields["r"] as string | null) ?? this.#dash);
    if ("op" in fields) this.#operator();
  }

  /** Whose vehicle it is, at a depot that operators share. */
  get #owner(): string {
    return this.operators[String(this.fields["op"] ?? "")] ?? "";
  }

  #operator(): void {
    const name = this.#owner;
    this.#show("op", name);
    if (this.element.tagName === "TR") return;
    if (name) this.element.title = name;
    else this.element.removeAttribute("title");
  }

  matches(text: string, state: string, area: string): boolean {
    if (state === AT_RISK ? !this.short : state && this.element.dataset["state"] !== state) return false;
    if (area && this.element.dataset["area"] !== area) return false;
    if (!text) return true;
    const own = this.element.dataset["find"] ?? this.element.textContent.toLowerCase();
    return own.includes(text) || `${this.fields["v"] ?? ""} ${this.#owner}`.toLowerCase().includes(text);
  }

  /** Whether its vehicle leaves with less than it needs. */
  get short(): boolean {
    return SHORT.has(this.element.dataset["outlook"] ?? "");
  }

  #show(name: string, value: string): void {
    const node = this.#nodes.get(name);
    if (node) setText(node, value);
  }

  #charge(soc: number | null): void {
    this.#show("s", soc === null ? this.#dash : String(soc));
    this.#fill?.setAttribute("width", String(soc ?? 0));
  }

  #target(target: number | null): void {
    this.#mark?.setAttribute("x", String(target ?? 0));
    this.#mark?.setAttribute("width", target === null ? "0" : "1");
  }

  #state(state: string): void {
    this.element.dataset["state"] = state;
    setShape(this.#shape, state);
    this.#show("w", strings.tile[state] ?? state);
  }

  #outlook(outlook: string): void {
    this.element.dataset["outlook"] = outlook;
    setShape(this.#outlookShape, outlook);
    this.#show("o", strings.outlook[outlook] ?? outlook);
  }

  #departure(): void {
    const short = this.fields["sf"] as number | null;
    const leaves = this.fields["d"] as string | null;
    const shortText = short ? `−${number(short)} kWh` : "";
    this.#show("sf", shortText);
    this.#show("d", leaves ?? this.#dash);
    this.#show("ol", shortText || (leaves ?? ""));
  }
}

/** The tiles of an area, and what they sum up to in its heading. */
class Lane {
  readonly tiles: Tile[] = [];
  readonly #nodes = new Map<string, HTMLElement>();

  constructor(readonly element: HTMLElement) {
    for (const node of element.querySelectorAll<HTMLElement>("[data-n]")) this.#nodes.set(node.dataset["n"]!, node);
  }

  recount(): void {
    let power = 0;
    let charging = 0;
    let short = 0;
    for (const tile of this.tiles) {
      power += Number(tile.fields["p"] ?? 0);
      if (tile.element.dataset["state"] === "charging") charging++;
      if (tile.short) short++;
    }
    this.#show("p", power < 9.95 ? Math.round(power * 10) / 10 : Math.round(power));
    this.#show("ch", charging);
    this.#show("risk", short);
    const risk = this.#nodes.get("risk")?.parentElement;
    if (risk && risk.hidden !== (short === 0)) risk.hidden = short === 0;
  }

  #show(name: string, value: number): void {
    const node = this.#nodes.get(name);
    if (node) setText(node, number(value));
  }
}

class DepotBoard extends HTMLElement {
  #tiles = new Map<string, Tile>();
  #lanes: Lane[] = [];
  #laneOf = new Map<Tile, Lane>();
  #area: HTMLSelectElement | null = null;
  #leave: (() => void) | undefined;
  #search: HTMLInputElement | null = null;
  #state = "";
  #revision: unknown = undefined;
  #listsDue = 0;
  #shapeChanged = false;

  connectedCallback(): void {
    const operators = JSON.parse(this.dataset["operators"] ?? "{}") as Record<string, string>;
    for (const node of this.querySelectorAll<HTMLElement>(".tile, tr[data-k]")) {
      this.#tiles.set(node.dataset["k"]!, new Tile(node, operators));
    }
    this.#findLanes();
    this.#search = this.querySelector("[data-board]");
    this.#area = this.querySelector("[data-area]");
    this.#area?.addEventListener("change", () => this.#filter());
    this.#state = new URLSearchParams(location.search).get("state") ?? "";
    this.#search?.addEventListener("input", () => this.#filter());
    this.#search?.form?.addEventListener("submit", (event) => this.#openOnly(event));
    this.addEventListener("click", (event) => this.#chip(event));
    this.addEventListener("keydown", (event) => this.#arrow(event));
    this.#leave = live.subscribe(this.dataset["topic"]!, (changed, gone, whole) => this.#take(changed, gone, whole));
  }

  disconnectedCallback(): void {
    this.#leave?.();
    clearTimeout(this.#listsDue);
  }

  #findLanes(): void {
    for (const element of this.querySelectorAll<HTMLElement>("[data-lane]")) {
      const lane = new Lane(element);
      for (const node of element.querySelectorAll<HTMLElement>(".tile")) {
        const tile = this.#tiles.get(node.dataset["k"]!);
        if (!tile) continue;
        lane.tiles.push(tile);
        this.#laneOf.set(tile, lane);
      }
      this.#lanes.push(lane);
    }
  }

  #take(changed: Records, gone: string[], whole: boolean): void {
    let unknown = gone.length > 0;
    const touched = new Set<Lane | undefined>();
    this.#shapeChanged = whole;
    for (const [key, fields] of Object.entries(changed)) {
      if (key === "head") {
        this.#head(fields);
        continue;
      }
      const tile = this.#tiles.get(key);
      if (tile) {
        tile.take(fields);
        touched.add(this.#laneOf.get(tile));
      } else unknown = true;
      if ("st" in fields || "o" in fields) this.#shapeChanged = true;
    }
    for (const lane of touched) lane?.recount();
    if (this.#shapeChanged) this.#recount();
    if (unknown && !this.#filtered()) this.#reload();
  }

  /** Bays came or went: the server draws the page anew. */
  #reload(): void {
    if (!this.dataset["reloaded"]) {
      this.dataset["reloaded"] = "1";
      location.reload();
    }
  }

  #filtered(): boolean {
    const query = new URLSearchParams(location.search);
    return Boolean(query.get("q") || query.get("state") || query.get("area") || query.get("operator"));
  }

  #head(fields: Fields): void {
    const head = this.querySelector<HTMLElement>('[data-k="head"]');
    if (!head) return;
    for (const [name, value] of Object.entries(fields)) {
      const node = head.querySelector(`[data-f="${name}"]`);
      if (node) setText(node, shown(value));
    }
    if ("u" in fields) setUse(head, fields["u"] as number | null);
    if ("over" in fields) head.querySelector<HTMLElement>(".wide")!.dataset["level"] = fields["over"] ? "bad" : "ok";
    if ("risk" in fields) head.querySelector<HTMLElement>("[data-good]")!.dataset["level"] = Number(fields["risk"]) > 0 ? "ok" : "good";
    if ("risk" in fields) setLevel(head, "risk", Number(fields["risk"]) > 0 ? "warn" : "ok");
    if ("off" in fields) setLevel(head, "off", Number(fields["off"]) > 0 ? "bad" : "ok");
    if ("rev" in fields) this.#lists(fields["rev"]);
  }

  #lists(revision: unknown): void {
    const first = this.#revision === undefined;
    this.#revision = revision;
    if (first || this.#listsDue) return;
    this.#listsDue = window.setTimeout(() => {
      this.#listsDue = 0;
      if (!this.querySelector("#board-lists")?.contains(document.activeElement)) {
        void swap(this.dataset["lists"]!, "#board-lists");
      }
    }, LISTS_EVERY_MS);
  }

  #recount(): void {
    const counts = new Map<string, number>();
    for (const tile of this.#tiles.values()) {
      const state = tile.element.dataset["state"]!;
      counts.set(state, (counts.get(state) ?? 0) + 1);
      if (tile.short) counts.set(AT_RISK, (counts.get(AT_RISK) ?? 0) + 1);
    }
    if (this.#filtered()) return;
    for (const node of this.querySelectorAll<HTMLElement>("[data-count]")) {
      const state = node.dataset["count"]!;
      const count = state ? (counts.get(state) ?? 0) : this.#tiles.size;
      setText(node, number(count));
      node.closest("li")?.classList.toggle("zero", count === 0);
    }
    if (this.#state || this.#search?.value || this.#area?.value) this.#filter();
  }

  #filter(): void {
    const wanted = (this.#search?.value ?? "").trim().toLowerCase();
    const area = this.#area?.value ?? "";
    let found = 0;
    for (const tile of this.#tiles.values()) {
      const hidden = !tile.matches(wanted, this.#state, area);
      if (tile.element.hidden !== hidden) tile.element.hidden = hidden;
      if (!hidden) found++;
    }
    for (const lane of this.#lanes) lane.element.hidden = lane.tiles.every((tile) => tile.element.hidden);
    const none = this.querySelector<HTMLElement>("[data-none]");
    if (none) none.hidden = found > 0 || this.#tiles.size === 0;
  }

  #chip(event: MouseEvent): void {
    const chip = (event.target as Element).closest<HTMLElement>("[data-filter]");
    if (!chip || event.ctrlKey || event.metaKey || this.#filtered()) return;
    event.preventDefault();
    this.#state = chip.dataset["filter"]!;
    for (const other of this.querySelectorAll("[data-filter]")) {
      if (other === chip) other.setAttribute("aria-current", "true");
      else other.removeAttribute("aria-current");
    }
    this.#filter();
  }

  /** Enter in the search field opens the only match. */
  #openOnly(event: Event): void {
    if (this.#filtered()) return;
    event.preventDefault();
    const found = [...this.#tiles.values()].filter((tile) => !tile.element.hidden);
    const link = found[0]?.element;
    if (found.length === 1 && link instanceof HTMLAnchorElement) link.click();
    else link?.focus();
  }

  /** Arrow keys walk over the tiles as they lie on the screen. */
  #arrow(event: KeyboardEvent): void {
    const from = event.target as HTMLElement;
    if (from.classList.contains("tile") && event.key === "w") return why(from, event);
    if (!from.classList.contains("tile") || !event.key.startsWith("Arrow")) return;
    const tiles = [...this.querySelectorAll<HTMLElement>("a.tile:not([hidden])")];
    const index = tiles.indexOf(from);
    const columns = Math.max(1, tiles.filter((tile) => tile.offsetTop === from.offsetTop).length);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key] ?? 0;
    const next = tiles[index + step];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
}

/** The page that says why the vehicle in focus charges as it does. */
function why(tile: HTMLElement, event: KeyboardEvent): void {
  const evse = tile.dataset["evse"];
  if (!evse || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  location.assign(`/why?evse=${evse}`);
}

function setLevel(head: HTMLElement, name: string, level: string): void {
  const figure = head.querySelector<HTMLElement>(`[data-warn="${name}"]`);
  if (figure) figure.dataset["level"] = level;
}

customElements.define("depot-board", DepotBoard);
