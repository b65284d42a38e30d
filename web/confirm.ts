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
    const [now, button] = standing(form, event.submitter as HTMLButtonElement | null);
    passed = now;
    now?.requestSubmit(button);
  });
}

/** The form that stands where this one stood: a page that looks again may have replaced it. */
function standing(form: HTMLFormElement, button: HTMLButtonElement | null): [HTMLFormElement | null, HTMLButtonElement | null] {
  if (form.isConnected) return [form, button];
  const now = [...document.forms].find((other) => other.action === form.action) ?? null;
  const same = [...(now?.querySelectorAll("button") ?? [])].find((one) => one.name === button?.name && one.value === button.value);
  return [now, same ?? null];
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
