/** What marks are made with, in one piece that is loaded when somebody draws. */

export { isInside, OutlineMark, PartMark } from "./lasso";
export { fillArea, ShiftMark, StrokeMark } from "./marks";
export { ShapeMark } from "./shapes";
export { SoftMark } from "./soft";
