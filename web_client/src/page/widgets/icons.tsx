/** The line icons of the buttons, each one path on a 24×24 grid. They have no names: buttons do. */

const paths = {
  camera: "M3 8a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM16 11l5-3v8l-5-3",
  brush: "M4 20c3 0 5-1 5-3.5a2.5 2.5 0 0 0-5 0c0 1.5-1 2-1 2.5zM9 14l9.5-9.5a1.8 1.8 0 0 1 2.5 2.5L11 16",
  eraser:
    "M8 20h12M4.6 14.6 13.6 5.6a2 2 0 0 1 2.8 0l3 3a2 2 0 0 1 0 2.8L11 20H8l-3.4-2.6a2 2 0 0 1 0-2.8zM9.5 9.7l6 6",
  undo: "M8 5 4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "M16 5l4 4-4 4M20 9H10a6 6 0 0 0 0 12h3",
  clear: "M4 7h16M10 11v6M14 11v6M6 7l1 13h10l1-13M9 7V4h6v3",
  freeze: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7z",
  dice: "M5 5h14v14H5zM9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01",
  snapshot: "M12 4v11M7 11l5 5 5-5M5 20h14",
  fullscreen: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  sideBySide: "M4 6h7v12H4zM13 6h7v12h-7z",
  inset: "M3 5h18v14H3zM6 12h6v4H6z",
  over: "M4 4h11v11H4zM9 15v5h11V9h-5",
  outputOnly: "M4 6h16v12H4z",
  bypass: "M3 12h5M16 12h5M8 12a4 4 0 0 1 8 0",
  panic: "M12 4 2.5 20h19zM12 10v4M12 17h.01",
  window: "M3 5h18v11H3zM8 20h8M12 16v4",
  pictureInPicture: "M3 5h18v14H3zM12 12h6v4h-6z",
  record: "M12 6a6 6 0 1 0 0 12a6 6 0 1 0 0-12zM12 10a2 2 0 1 0 0 4a2 2 0 1 0 0-4z",
  stop: "M7 7h10v10H7z",
  rewind: "M4 5v5h5M4.6 10A8 8 0 1 1 4 14M12 9v4l3 2",
  renew: "M20 11a8 8 0 0 0-14.3-4M4 4v4h4M4 13a8 8 0 0 0 14.3 4M20 20v-4h-4",
  options: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  help: "M9 9a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 2.2M12 17.5h.01M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18z",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
  unlock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 5.8-1",
  swap: "M4 9h13M14 5l4 4-4 4M20 16H7M10 12l-4 4 4 4",
  enlarge: "M14 5h5v5M19 5l-7 7M10 19H5v-5",
  shrink: "M19 10h-5V5M14 10l6-6M5 14h5v5M10 14l-6 6",
  up: "M12 19V5M6 11l6-6 6 6",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  share: "M12 15V4M8 8l4-4 4 4M5 12v8h14v-8",
  decks: "M9 8a5 5 0 1 0 0 8 5 5 0 1 0 0-8M15 8a5 5 0 1 1 0 8",
  pads: "M4 5h4v6H4zM10 5h4v6h-4zM16 5h4v6h-4zM4 13h4v6H4zM10 13h4v6h-4zM16 13h4v6h-4z",
  open: "M3 7h6l2 2h10v10H3zM3 7v12",
  screen: "M3 5h18v12H3zM9 21h6M12 17v4",
  file: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  sheet: "M6 3h8l4 4v14H6zM14 3v4h4",
  fill: "M5 12l7-7 7 7-7 7zM5 12h14M9 8 6 5M21 16c1 1.5 1.5 2.3 1.5 3a1.5 1.5 0 0 1-3 0c0-.7.5-1.5 1.5-3z",
  line: "M5 19 19 5",
  rectangle: "M4 6h16v12H4z",
  ellipse: "M12 6c5 0 8 2.7 8 6s-3 6-8 6-8-2.7-8-6 3-6 8-6z",
  polygon: "M12 4l8 6-3 9.5H7L4 10z",
  star: "M12 3.5l2.6 5.6 6 .7-4.5 4.1 1.2 6-5.3-3-5.3 3 1.2-6-4.5-4.1 6-.7z",
  layers: "M12 4 3.5 8.5 12 13l8.5-4.5zM4 12.5l8 4.2 8-4.2M4 16.5l8 4.2 8-4.2",
  lasso: "M7 16.5C4.5 15.3 3 13.4 3 11.2 3 7.2 7 4 12 4s9 3.2 9 7-4 6.5-9 6.5c-1.7 0-3-.2-4.3-.7M7 16.5a1.8 1.8 0 1 0-1.6 2.6C7 19.5 7 21 5.5 21.5",
  pick: "M4 20l1-4 8-8 3 3-8 8zM12 6l6 6M14 8l3-3a2.1 2.1 0 0 1 3 3l-3 3",
  move: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
  hand: "M8 13V6a1.5 1.5 0 0 1 3 0v5M11 11V4.5a1.5 1.5 0 0 1 3 0V11M14 11V6a1.5 1.5 0 0 1 3 0v8a7 7 0 0 1-7 7c-3 0-4-2-6-6a1.5 1.5 0 0 1 2.6-1.5L8 15",
  down: "M6 10l6 6 6-6",
  shown: "M3 12c2.5-4 5.5-6 9-6s6.5 2 9 6c-2.5 4-5.5 6-9 6s-6.5-2-9-6zM12 9.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5z",
  unseen: "M4 10c2.3 3 5 4.5 8 4.5s5.7-1.5 8-4.5M6 15l1.5-2.5M12 17.5v-3M18 15l-1.5-2.5",
  pencil: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
};

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
