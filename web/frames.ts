/** A frame of the OCPP log opens in a drawer where the page has one, else as a page of its own. */
import { swap } from "./elements/live-fields.ts";

export function watchFrames(): void {
  document.addEventListener("click", (event) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>("a[data-frame]");
    const drawer = document.querySelector<HTMLDialogElement>("#frame-drawer");
    if (!link || !drawer || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    void swap(link.href, "#frame").then(() => drawer.showModal());
  });
}
