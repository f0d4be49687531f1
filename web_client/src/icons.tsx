/** The line icons of the buttons, each as one path on a 24×24 grid. Always beside a label, never instead of one. */

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
  outputOnly: "M4 6h16v12H4z",
};

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
