/** What this page shows and how: nothing here concerns the server. */

import { signal } from "@preact/signals";

export type Layout = "sideBySide" | "outputOnly";

export class View {
  readonly layout = signal<Layout>("sideBySide");
  readonly showsHud = signal(true);
  /** The element that goes full screen. */
  outputPane: HTMLElement | null = null;

  toggleFullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    // Refused where the browser or an embedding page forbids it; then nothing happens, as the user sees.
    else void this.outputPane?.requestFullscreen?.().catch(() => {});
  }
}
