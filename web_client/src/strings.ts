/** Every word that the page shows, in English. Another language is an object of the same shape. */

export const english = {
  name: "realtime",
  skip: "Skip to the settings",
  state: {
    idle: "Not connected",
    connecting: "Connecting",
    loading: "Loading",
    queued: "Waiting in line",
    open: "Live",
    retrying: "Reconnecting",
    closed: "Disconnected",
  },
  loading: (stage: string, percent: number | null) =>
    percent === null ? `Getting ready: ${stage}` : `Getting ready: ${stage}, ${Math.round(percent)} %`,
  queued: (position: number, size: number) => `The server is busy. You are number ${position} of ${size} in line.`,
  retryIn: (seconds: number) => (seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again now."),
  connect: "Connect",
  retryNow: "Try now",
  dismiss: "Dismiss",
  close: "Close",
  restore: "Use my settings again",
  problems: {
    ended: "The server ended this session. Press Connect to start again.",
    goingAway: "The server is restarting. The page reconnects by itself.",
    version:
      "This page and the server don't speak the same version. Reload the page; if that doesn't help, update the server.",
    refused: "This server needs its token: open the address that the server printed.",
    tooBig: "A picture was too big for the server. Choose a smaller width and height, then press Connect.",
    engineFailed: "The server's engine failed; its log says why. The page keeps trying.",
    full: "The server is full. Close another window that uses it, or wait: the page keeps trying.",
    unreachable: "The server can't be reached. Check that it is running; the page keeps trying.",
    lost: "The connection was lost. The page reconnects by itself.",
    webrtcBlocked:
      "WebRTC gets no connection to the server: something between here and there may block it. The page keeps trying.",
    webrtcOff: "WebRTC is switched off on the server or in this browser. The page keeps trying.",
    cameraRefused: "The camera is blocked. Allow it in the browser's address bar, then choose Camera again.",
    cameraMissing: "No camera was found. Plug one in and choose Camera again, or choose Draw.",
    cameraBusy: "The camera can't be opened. Close other programs that use it, then choose Camera again.",
    cameraInsecure:
      "Browsers give the camera only to https:// or localhost addresses. Open the page there, or choose Draw.",
    cameraLost: "The camera was unplugged or taken away. Choose Camera again.",
    encoding: "This browser can't compress pictures for sending. Update it, or try another one.",
    frameRefused: "The server could not use a picture from here.",
    commandRefused: "The server refused that.",
    paramsChanged: "The server came back with other settings than before. The ones shown are in force.",
    noSchema: "The settings could not be loaded. Reload the page to try again.",
    windowRefused: "The browser blocked the output window. Allow pop-ups for this page, then try again.",
    pictureInPictureRefused: "The browser refused picture in picture. Try again, or open an output window.",
    noSnapshot: "There is no picture to save yet. Choose Camera or Draw first.",
  },
  notes: {
    fellBack:
      "WebRTC did not get through to the server, so the pictures go over WebSocket now. Choose WebRTC to try it again.",
  },
  transport: {
    title: "Connection",
    automatic: "Automatic",
    webrtc: "WebRTC",
    websocket: "WebSocket",
    leaveToPage: "Let the page choose",
  },
  source: {
    title: "Input",
    choose: "What should be restyled?",
    camera: "Camera",
    cameraHint: "your webcam, live",
    canvas: "Draw",
    canvasHint: "sketch with pen, mouse or touch",
    device: "Camera device",
    unnamedDevice: (index: number) => `Camera ${index}`,
    mirror: "Mirror",
    drawingSurface: "Drawing surface",
  },
  tools: {
    label: "Drawing tools",
    brush: "Brush",
    eraser: "Eraser",
    colour: "Colour",
    palette: ["Black", "White", "Red", "Orange", "Yellow", "Green", "Blue", "Brown"],
    size: "Brush size",
    undo: "Undo",
    redo: "Redo",
    clear: "Clear",
  },
  stage: {
    output: "Output",
    waiting: "The restyled picture appears here.",
    frozen: "Frozen",
    bypassed: "Bypass: the input is on air",
    panicked: "Panic: press P to go back on air",
    sideBySide: "Side by side",
    over: "Over the input",
    outputOnly: "Output only",
    layout: "Layout",
    blend: "How the output lies over the input",
    blends: { wipe: "Wipe", opacity: "Opacity" },
  },
  actions: {
    label: "Output controls",
    freeze: "Freeze",
    unfreeze: "Unfreeze",
    bypass: "Bypass",
    panic: "Panic",
    newSeed: "New seed",
    snapshot: "Snapshot",
    fullscreen: "Full screen",
    window: "Output window",
    pictureInPicture: "Picture in picture",
  },
  options: {
    title: "Options",
    language: "Language",
    theme: "Colours",
    themes: { automatic: "As the system", dark: "Dark", light: "Light" },
    refuge: "Panic shows",
    refuges: { black: "Black", camera: "The input" },
  },
  panel: {
    title: "Settings",
    more: "More settings",
    styles: "Styles",
    moods: "Moods",
    loading: "Waiting for the server's settings",
    numberOf: (title: string) => `${title}, as a number`,
    randomise: "Random seed",
    weighted: "A blend of prompts is in force. Typing replaces it.",
  },
  hud: {
    title: "Measurements",
    transport: "transport",
    sent: "sent",
    shown: "shown",
    fps: "fps",
    latency: "latency",
    p95: "p95",
    roundTrip: "round trip",
    jitterBuffer: "buffer",
    codec: "codec",
    stages: "server",
    dropped: "dropped",
    sessions: "sessions",
    params: "settings",
    ms: "ms",
    stage: {
      queue: "queue",
      decode: "decode",
      encode_latents: "VAE in",
      denoise: "denoise",
      decode_latents: "VAE out",
      encode: "encode",
    } as Record<string, string>,
  },
  keys: {
    title: "Keys",
    space: "Space",
    groups: [
      [
        "On air",
        [
          ["Space", "freeze, go on"],
          ["B", "bypass: show the input"],
          ["P", "panic: show black, or the input"],
          ["F", "full screen"],
          ["O", "output window"],
          ["L", "next layout"],
          ["< >", "move the wipe or the opacity"],
          ["H", "measurements"],
        ],
      ],
      [
        "Look",
        [
          ["R", "new seed"],
          ["[ ]", "less, more strength"],
          ["S", "snapshot"],
        ],
      ],
    ] as [string, [string, string][]][],
  },
};

export type Strings = typeof english;
export type ProblemKind = keyof Strings["problems"];
export type NoteKind = keyof Strings["notes"];

/** The words in use. Read them while drawing, not before: they change with the language. */
export let strings: Strings = english;

export function useStrings(spoken: Strings): void {
  strings = spoken;
}
