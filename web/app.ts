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

/** The chart of the timetable opens a little before now, and keeps its place when it is drawn anew. */
function watchGantt(): void {
  let kept: number | undefined;
  const place = () => {
    const scroll = document.querySelector<HTMLElement>(".gantt-scroll");
    const now = scroll?.querySelector(".now")?.getBoundingClientRect();
    if (scroll && now) scroll.scrollLeft = kept ?? now.left - scroll.getBoundingClientRect().left - scroll.clientWidth / 3;
  };
  document.addEventListener("htmx:before:swap", () => (kept = document.querySelector(".gantt-scroll")?.scrollLeft));
  document.addEventListener("htmx:after:swap", place);
  place();
}

document.documentElement.classList.add("scripted");
loadElements(document);
document.addEventListener("htmx:after:swap", () => loadElements(document));
watchConfirm();
watchFrames();
watchKeys();
watchSelects();
watchMenu();
watchGantt();
if (document.querySelector("live-link")) live.start();
