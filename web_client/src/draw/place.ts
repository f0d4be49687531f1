/** The part of the picture that the drawing pane shows: pan and zoom, as shares of the pane. Pure. */

export interface Place {
  /** 1 shows all of the picture. */
  readonly zoom: number;
  /** The picture's left and top edges, in shares of the pane's width and height; never inside the pane. */
  readonly x: number;
  readonly y: number;
}

export const WHOLE: Place = { zoom: 1, x: 0, y: 0 };
export const MAX_ZOOM = 16;

/** Never empty space beside the picture. */
function within(zoom: number, x: number, y: number): Place {
  const keep = (edge: number) => Math.min(0, Math.max(1 - zoom, edge));
  return { zoom, x: keep(x), y: keep(y) };
}

/**
 * Magnifies about a point of the pane, which first moves by (dx, dy): what lies under two fingers stays under them.
 *
 * @param at where, in shares of the pane, before the movement.
 */
export function magnify(place: Place, factor: number, at: { x: number; y: number }, dx = 0, dy = 0): Place {
  const zoom = Math.min(MAX_ZOOM, Math.max(1, place.zoom * factor));
  const scale = zoom / place.zoom;
  return within(zoom, at.x + dx - (at.x - place.x) * scale, at.y + dy - (at.y - place.y) * scale);
}

export function pan(place: Place, dx: number, dy: number): Place {
  return within(place.zoom, place.x + dx, place.y + dy);
}

/** Pans just so far that a point of the picture, in shares of the picture, is in the pane. */
export function reveal(place: Place, x: number, y: number): Place {
  const inView = (at: number, edge: number) => {
    const shown = edge + at * place.zoom;
    return edge + Math.min(1, Math.max(0, shown)) - shown;
  };
  return within(place.zoom, inView(x, place.x), inView(y, place.y));
}
