/** Keyboard: "/" searches, "g" and a letter goes to a page, "?" tells them all. */

const SEQUENCE_MS = 1_200;
let goUntil = 0;

export function watchKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "/") focusSearch(event);
    else if (event.key === "?") document.querySelector<HTMLDialogElement>("#help")?.showModal();
    else if (event.key === "g") goUntil = event.timeStamp + SEQUENCE_MS;
    else if (event.timeStamp < goUntil) go(event.key);
  });
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

function focusSearch(event: KeyboardEvent): void {
  const field = document.querySelector<HTMLInputElement>("[data-search]");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
}

function go(key: string): void {
  goUntil = 0;
  document.querySelector<HTMLAnchorElement>(`.rail a[data-key="${CSS.escape(key)}"]`)?.click();
}
