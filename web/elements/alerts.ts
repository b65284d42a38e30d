/** New alerts wherever one is: a count beside the menu entry, and the only spoken live region. */
import { live } from "../live.ts";
import { setText } from "./live-fields.ts";

const TOAST_MS = 12_000;

class AlertCount extends HTMLElement {
  #leave: (() => void) | undefined;

  connectedCallback(): void {
    this.#leave = live.subscribe("alerts", (changed) => {
      const sum = changed["sum"];
      if (!sum) return;
      if ("n" in sum) {
        const count = Number(sum["n"]);
        this.hidden = count === 0;
        setText(this, String(count));
      }
      if ("c" in sum) this.toggleAttribute("data-critical", Number(sum["c"]) > 0);
    });
  }

  disconnectedCallback(): void {
    this.#leave?.();
  }
}

class AlertToasts extends HTMLElement {
  #leave: (() => void) | undefined;
  #last: string | undefined;
  #title = "";
  #severity = "info";

  connectedCallback(): void {
    this.#leave = live.subscribe("alerts", (changed) => {
      const sum = changed["sum"];
      if (!sum) return;
      if ("t" in sum) this.#title = String(sum["t"] ?? "");
      if ("v" in sum) this.#severity = String(sum["v"] ?? "info");
      if (!("id" in sum)) return;
      const id = String(sum["id"] ?? "");
      if (this.#last !== undefined && id && id !== this.#last) this.#show();
      this.#last = id;
    });
  }

  disconnectedCallback(): void {
    this.#leave?.();
  }

  #show(): void {
    const toast = document.createElement("a");
    toast.className = "toast";
    toast.href = "/alerts";
    toast.dataset["severity"] = this.#severity;
    toast.textContent = this.#title;
    this.replaceChildren(toast);
    window.setTimeout(() => toast.remove(), TOAST_MS);
  }
}

customElements.define("alert-count", AlertCount);
customElements.define("alert-toasts", AlertToasts);
