/** Joins the client with what is done here with its pictures and settings. The page draws from it. */

import { effect } from "@preact/signals";
import type { Client } from "./client";
import { bindKeys } from "./keys";
import { OutputWindow } from "./program/output_window";
import { PictureInPicture } from "./program/picture_in_picture";
import { Program } from "./program/program";
import { strings } from "./strings";
import type { View } from "./view";

export class Studio {
  readonly client: Client;
  readonly view: View;
  readonly program: Program;
  readonly window: OutputWindow;
  readonly pictureInPicture: PictureInPicture;
  /** What the page shows in the output's place while something else is on air. */
  readonly cut = document.createElement("canvas");

  constructor(client: Client, view: View) {
    this.client = client;
    this.view = view;
    this.program = new Program({
      layers: () => view.layers.peek(),
      input: () => client.input(),
      output: () => client.player.picture(),
      size: () => client.shape.peek(),
    });
    this.window = new OutputWindow({
      program: this.program,
      ratio: () => client.shape.peek().width / client.shape.peek().height,
      title: () => `${strings.name}: ${strings.stage.output}`,
      bindKeys: (there) => bindKeys(this, there),
    });
    this.pictureInPicture = new PictureInPicture(this.program);
    client.onInput.add(() => this.program.changed("input"));
    client.onOutput.add(() => this.program.changed("output"));
    effect(() => {
      view.layers.value;
      client.shape.value;
      this.program.changed("mix");
    });
    effect(() => {
      if (view.isCut.value) return this.program.add({ canvas: this.cut });
      return undefined;
    });
  }

  openWindow(): void {
    if (this.window.isOpen.peek()) this.window.close();
    else if (!this.window.open()) this.client.mention("windowRefused");
  }

  async togglePictureInPicture(): Promise<void> {
    if (!(await this.pictureInPicture.toggle())) this.client.mention("pictureInPictureRefused");
  }
}
