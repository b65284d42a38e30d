/** Dangerous forms ask once more: `data-confirm` on the form or on its button. */
import { text } from "./strings.ts";

let passed: HTMLElement | null = null;

export function watchConfirm(): void {
  document.addEventListener("submit", hold, { capture: true });
}

function hold(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  const asks = [event.submitter, form].find((node) => node?.hasAttribute("data-confirm")) as HTMLElement | undefined;
  if (!asks) return;
  if (passed === form) {
    passed = null;
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  void ask(asks).then((yes) => {
    if (!yes) return;
    passed = form;
    form.requestSubmit(event.submitter as HTMLElement | null);
  });
}

function ask(node: HTMLElement): Promise<boolean> {
  const dialog = document.querySelector<HTMLDialogElement>("#ask")!;
  dialog.querySelector("h2")!.textContent = node.dataset["confirm"] ?? "";
  dialog.querySelector("p")!.textContent = node.dataset["confirmText"] ?? "";
  dialog.querySelector('[value="yes"]')!.textContent = text("yes");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true });
  });
}
