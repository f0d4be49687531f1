/** What lies around the stage while one draws. Loaded when a drawing is the input for the first time. */

import { loadStyles } from "../../browser/style_sheet";
import styles from "./draw_sheet.css?url";

export { bindDrawKeys } from "./draw_keys";
export { DrawSide } from "./draw_side";
export { DrawTools } from "./draw_tools";

await loadStyles(styles);
