/** Says something every so many milliseconds. */

const scope = self as unknown as {
  onmessage: (event: MessageEvent<number>) => void;
  postMessage(tick: null): void;
};

scope.onmessage = ({ data }) => {
  setInterval(() => scope.postMessage(null), data);
};
