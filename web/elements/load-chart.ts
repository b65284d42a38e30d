/** Power over time with uPlot: the site's load (live), or one session's meter curve. */
import uPlot from "uplot";
import { live, type Records } from "../live.ts";
import { number, strings, text } from "../strings.ts";

type Column = (number | null)[];
interface Data {
  now?: number;
  at: number[];
  m?: Column;
  p?: Column;
  l?: Column;
  r?: Column;
  o?: Column;
  s?: Column;
}

const WHOLE_MINUTES_S = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440].map((minutes) => minutes * 60);
const COMPACT_PX = 150;
const CURVE_PX = 260;
const SITE_PX = 420;

class LoadChart extends HTMLElement {
  #plot: uPlot | undefined;
  #data: Data = { at: [] };
  #leave: (() => void) | undefined;
  #resize = new ResizeObserver(() => this.#fit());
  #scheme = matchMedia("(prefers-color-scheme: dark)");
  #redraw = () => this.#draw();

  connectedCallback(): void {
    this.setAttribute("role", "img");
    this.setAttribute("aria-label", text("chart"));
    this.style.minHeight = `${this.#height()}px`;
    void this.#load();
    this.#resize.observe(this);
    this.#scheme.addEventListener("change", this.#redraw);
    const topic = this.dataset["topic"];
    if (topic) this.#leave = live.subscribe(topic, (changed) => this.#take(changed));
  }

  disconnectedCallback(): void {
    this.#leave?.();
    this.#resize.disconnect();
    this.#scheme.removeEventListener("change", this.#redraw);
    this.#plot?.destroy();
  }

  async #load(): Promise<void> {
    try {
      const answer = await fetch(this.dataset["src"]!, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      this.#data = (await answer.json()) as Data;
      this.#draw();
    } catch {
      this.#tell(text("load_failed"));
    }
  }

  #tell(message: string): void {
    const note = document.createElement("p");
    note.className = "sub";
    note.textContent = message;
    this.replaceChildren(note);
  }

  #height(): number {
    if (this.hasAttribute("data-compact")) return COMPACT_PX;
    return this.hasAttribute("data-curve") ? CURVE_PX : Math.min(SITE_PX, Math.max(260, innerHeight * 0.5));
  }

  #draw(): void {
    this.#plot?.destroy();
    if (!this.#data.at.length) {
      this.#tell(text("no_data"));
      return;
    }
    this.replaceChildren();
    this.#plot = new uPlot(this.#options(), this.#columns(), this);
  }

  #columns(): uPlot.AlignedData {
    const data = this.#data;
    const lines = this.hasAttribute("data-curve") ? [data.m ?? data.p, data.l, data.s] : [data.m, data.p, data.l, data.r, ...(data.o?.some((w) => w !== null) ? [data.o] : [])];
    return [data.at, ...lines.map((line) => line ?? [])] as uPlot.AlignedData;
  }

  #options(): uPlot.Options {
    const ink = (name: string) => this.#colour(name);
    const compact = this.hasAttribute("data-compact");
    const axis: uPlot.Axis = {
      stroke: ink("--chart-text"),
      font: '11px "Inter Variable", sans-serif',
      grid: { stroke: ink("--chart-grid"), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.clientWidth || 300,
      height: this.#height(),
      padding: [8, compact ? 16 : 12, 0, 0],
      legend: { show: !compact, live: true },
      cursor: { show: !compact, points: { size: 6 } },
      scales: { x: { time: true }, kw: { range: () => [0, Math.max(10, this.#highest() * 1.12)] }, pct: { range: [0, 100] } },
      series: this.hasAttribute("data-curve") ? curveSeries(ink) : siteSeries(ink).slice(0, this.#columns().length),
      axes: [
        { ...axis, space: 50, size: 26, incrs: WHOLE_MINUTES_S, values: (_u, ticks) => ticks.map(clock) },
        { ...axis, scale: "kw", size: compact ? 44 : 58, space: 34, values: (_u, ticks) => ticks.map((v) => number(v)) },
        ...(this.hasAttribute("data-curve")
          ? [{ ...axis, scale: "pct", side: 1 as const, size: 46, grid: { show: false }, values: (_u: uPlot, t: number[]) => t.map((v) => `${v} %`) }]
          : []),
      ],
      hooks: { draw: [(plot) => this.#nowLine(plot, ink("--chart-now"))] },
    };
  }

  /** What the scale must hold. Power held back is cut: at a start it counts every charger in full. */
  #highest(): number {
    const { m, p, l, o } = this.#data;
    let highest = 0;
    for (const line of [m, p, l, o]) for (const value of line ?? []) if (value !== null && value > highest) highest = value;
    return highest;
  }

  /** A token as the plain colour it has in the theme in force; a canvas knows no variables. */
  #colour(name: string): string {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    this.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  }

  #nowLine(plot: uPlot, colour: string): void {
    const now = this.#data.now;
    if (now === undefined) return;
    const x = Math.round(plot.valToPos(now, "x", true));
    const { ctx, bbox } = plot;
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  }

  #fit(): void {
    const width = this.clientWidth;
    if (this.#plot && width && width !== this.#plot.width) this.#plot.setSize({ width, height: this.#height() });
  }

  /** New columns from the live stream, put in their place by time. */
  #take(changed: Records): void {
    const data = this.#data;
    if (!this.#plot || !data.m) return;
    for (const [key, fields] of Object.entries(changed)) {
      const at = Number(key);
      const index = place(data, at);
      for (const name of ["m", "p", "l", "r", "o"] as const) {
        if (name in fields && data[name]) data[name][index] = fields[name] as number | null;
      }
      if (fields["m"] !== null && fields["m"] !== undefined) data.now = Math.max(data.now ?? 0, at);
    }
    this.#plot.setData(this.#columns());
  }
}

/** Index of an instant's column, made when it is new. */
function place(data: Data, at: number): number {
  let index = data.at.length;
  while (index > 0 && data.at[index - 1]! > at) index--;
  if (index > 0 && data.at[index - 1] === at) return index - 1;
  data.at.splice(index, 0, at);
  for (const name of ["m", "p", "l", "r", "o"] as const) {
    const column = data[name];
    column?.splice(index, 0, name === "m" || name === "o" ? null : (column[index - 1] ?? null));
  }
  return index;
}

type Ink = (name: string) => string;
const value = (unit: string) => (_u: uPlot, raw: number | null) => (raw === null || raw === undefined ? "–" : `${number(Math.round(raw))} ${unit}`);
const step = (): uPlot.Series.PathBuilder => uPlot.paths.stepped!({ align: 1 });

function siteSeries(ink: Ink): uPlot.Series[] {
  return [
    { label: text("time"), value: (_u, at) => (at ? clock(at) : "–") },
    { label: text("measured"), scale: "kw", stroke: ink("--chart-measured"), fill: ink("--chart-fill"), width: 2, points: { show: false }, value: value("kW") },
    { label: text("plan"), scale: "kw", stroke: ink("--chart-plan"), dash: [5, 4], width: 1.5, points: { show: false }, paths: step(), value: value("kW") },
    { label: text("limit"), scale: "kw", stroke: ink("--chart-limit"), width: 2, points: { show: false }, paths: step(), value: value("kW") },
    { label: text("reserved"), scale: "kw", stroke: ink("--chart-reserved"), width: 1.5, dash: [2, 3], points: { show: false }, paths: step(), value: value("kW") },
    { label: text("other"), scale: "kw", stroke: ink("--chart-soc"), width: 1.5, points: { show: false }, value: value("kW") },
  ];
}

function curveSeries(ink: Ink): uPlot.Series[] {
  return [
    { label: text("time"), value: (_u, at) => (at ? clock(at) : "–") },
    { label: text("power"), scale: "kw", stroke: ink("--chart-measured"), fill: ink("--chart-fill"), width: 2, points: { show: false }, value: value("kW") },
    { label: text("limit"), scale: "kw", stroke: ink("--chart-limit"), width: 1.5, points: { show: false }, paths: step(), value: value("kW") },
    { label: text("charge"), scale: "pct", stroke: ink("--chart-soc"), width: 1.5, points: { show: false }, value: value("%") },
  ];
}

const zone = document.documentElement.dataset["zone"];
const hour = new Intl.DateTimeFormat(strings.locale === "en" ? "en-GB" : strings.locale, {
  hour: "2-digit",
  minute: "2-digit",
  ...(zone ? { timeZone: zone } : {}),
});

function clock(at: number): string {
  return hour.format(at * 1000);
}

customElements.define("load-chart", LoadChart);
