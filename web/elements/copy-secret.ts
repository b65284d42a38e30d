/** A secret with a button that copies it; without script the text can still be selected. */
import { text } from "../strings.ts";

class CopySecret extends HTMLElement {
  connectedCallback(): void {
    const button = this.querySelector("button");
    if (!button || !navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      void navigator.clipboard
        .writeText(this.querySelector("code")!.textContent)
        .then(() => (button.textContent = text("copied")));
    });
  }
}

customElements.define("copy-secret", CopySecret);
