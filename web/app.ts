/** The console's script: htmx for fragments, one live socket, and the few elements that move. */
import "htmx.org";
import "./elements/live-fields.ts";
import "./elements/depot-board.ts";
import "./elements/alerts.ts";
import "./elements/copy-secret.ts";
import { watchConfirm } from "./confirm.ts";
import { watchFrames } from "./frames.ts";
import { watchKeys } from "./keys.ts";
import { live } from "./live.ts";

const lazy: Record<string, () => Promise<unknown>> = {
  "load-chart": () => import("./elements/load-chart.ts"),
  "ocpp-log": () => import("./elements/ocpp-log.ts"),
};

/** Fetch the code of elements that are on this page, and only that. */
function loadElements(root: ParentNode): void {
  for (const [name, load] of Object.entries(lazy)) {
    if (root.querySelector(name)) void load();
  }
}

function watchSelects(): void {
  document.addEventListener("change", (event) => {
    const target = event.target;
    if (target instanceof HTMLSelectElement && target.hasAttribute("data-submit")) target.form?.requestSubmit();
  });
}

/** The menu of small screens: a press on the button shows the whole rail. */
function watchMenu(): void {
  const menu = document.querySelector<HTMLDetailsElement>("details.menu");
  menu?.addEventListener("toggle", () => document.body.classList.toggle("menu-open", menu.open));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu?.open) menu.open = false;
  });
}

document.documentElement.classList.add("scripted");
loadElements(document);
document.addEventListener("htmx:after:swap", () => loadElements(document));
watchConfirm();
watchFrames();
watchKeys();
watchSelects();
watchMenu();
if (document.querySelector("live-link")) live.start();
