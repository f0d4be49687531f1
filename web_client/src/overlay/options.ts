/** What an overlay's address asks for besides the session. Pure. */

/** How the picture lies in a source of another shape: filling it, or seen whole. */
export const fits = ["cover", "contain"] as const;
/** What a panic shows: black, or what lies below the overlay. */
export const panics = ["black", "transparent"] as const;
/** What stays when pictures stay away: nothing, or the last one. */
export const stalls = ["clear", "hold"] as const;

export interface OverlayOptions {
  fit: (typeof fits)[number];
  panic: (typeof panics)[number];
  stall: (typeof stalls)[number];
}

/** @param warn told of each value that there is not; its option is then as without it. */
export function optionsIn(asked: URLSearchParams, warn: (sentence: string) => void): OverlayOptions {
  const choice = <T extends string>(name: string, values: readonly T[]): T => {
    const text = asked.get(name);
    const found = values.find((value) => value === text);
    if (text !== null && !found) warn(`There is no ${name}=${text}: give ${values.join(" or ")}`);
    return found ?? (values[0] as T);
  };
  return { fit: choice("fit", fits), panic: choice("panic", panics), stall: choice("stall", stalls) };
}
