/** The live tail of a charger's OCPP messages. */
import { LitElement, html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { live, type Fields, type Records } from "../live.ts";
import { strings, text } from "../strings.ts";

interface Row {
  id: string;
  fields: Fields;
}

const KEPT_ROWS = 300;
const zone = document.documentElement.dataset["zone"];
const clock = new Intl.DateTimeFormat(strings.locale === "en" ? "en-GB" : strings.locale, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  ...(zone ? { timeZone: zone } : {}),
});

class OcppLog extends LitElement {
  static override properties = { paused: { state: true }, rows: { state: true } };
  declare paused: boolean;
  declare rows: Row[];
  #known = new Map<string, Fields>();
  #leave: (() => void) | undefined;

  constructor() {
    super();
    this.paused = false;
    this.rows = [];
  }

  override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#leave = live.subscribe(this.dataset["topic"]!, (changed, _gone, whole) => this.#take(changed, whole));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#leave?.();
  }

  #take(changed: Records, whole: boolean): void {
    if (whole) this.#known.clear();
    for (const [id, fields] of Object.entries(changed)) this.#known.set(id, { ...this.#known.get(id), ...fields });
    if (!this.paused) this.#arrange();
  }

  #arrange(): void {
    const shown = Number(this.dataset["rows"] ?? 60);
    const rows = [...this.#known].map(([id, fields]) => ({ id, fields }));
    rows.sort((a, b) => Number(b.fields["at"]) - Number(a.fields["at"]) || (a.id < b.id ? 1 : -1));
    for (const row of rows.slice(KEPT_ROWS)) this.#known.delete(row.id);
    this.rows = rows.slice(0, shown);
  }

  #toggle(): void {
    this.paused = !this.paused;
    if (!this.paused) this.#arrange();
  }

  override render(): TemplateResult {
    if (!this.rows.length) return html`<p class="sub">${text("waiting")}</p>`;
    return html`<button class="btn quiet small" type="button" aria-pressed=${this.paused} @click=${() => this.#toggle()}>
        ${text(this.paused ? "resume" : "pause")}
      </button>
      <div class="table-wrap" tabindex="0" role="region" aria-label="OCPP">
        <table class="grid log">
          <thead>
            <tr><th>${text("time")}</th><th>${text("direction")}</th><th>${text("action")}</th><th>${text("content")}</th><th class="r">ms</th></tr>
          </thead>
          <tbody>${repeat(this.rows, (row) => row.id, (row) => this.#row(row))}</tbody>
        </table>
      </div>`;
  }

  #row({ id, fields }: Row): TemplateResult {
    const incoming = fields["dir"] === "in";
    const error = fields["er"];
    return html`<tr ?data-error=${Boolean(error)}>
      <th scope="row" class="num"><a href="${this.dataset["href"] ?? ""}${id}" data-frame>${clock.format(Number(fields["at"]) * 1000)}</a></th>
      <td><svg class="i" aria-hidden="true"><use href=${incoming ? "#i-in" : "#i-out"}></use></svg> <span class="vh">${text(incoming ? "from_charger" : "to_charger")}</span><span class="sub">${fields["k"]}</span></td>
      <td><b>${fields["a"]}</b></td>
      <td class="mono clip">${error ? html`<b class="bad">${error}</b> ` : nothing}${fields["t"]}</td>
      <td class="r num">${fields["ms"] ?? "–"}</td>
    </tr>`;
  }
}

customElements.define("ocpp-log", OcppLog);
