/** The sheets that lie over the page, in one piece that is loaded when the first of them is opened. */

export { LorasSheet } from "./loras";
export { Help, Options } from "./options";
export { SendTo } from "./send_to";
