// WHEP readers on libwebrtc, one after another.
//
// Options: url, token, readers (how many stay until standard input closes), tries (connect, see a picture, end, again),
// points ([x, y] whose colours are told, as shares of the picture's sides).

import wrtc from "@roamhq/wrtc";
import { options, post, remove, say, told, within } from "./common.mjs";

const { i420ToRgba, RTCVideoSink } = wrtc.nonstandard;

function colours({ width, height, data }) {
  const rgba = { width, height, data: new Uint8ClampedArray(4 * width * height) };
  i420ToRgba({ width, height, data }, rgba);
  return options.points.map(([x, y]) => {
    const at = 4 * (Math.floor(y * height) * width + Math.floor(x * width));
    return [...rgba.data.slice(at, at + 3)];
  });
}

async function read() {
  const begun = performance.now();
  const connection = new wrtc.RTCPeerConnection({ iceServers: [] });
  const { receiver } = connection.addTransceiver("video", { direction: "recvonly" });
  const reader = { connection, frames: 0, newest: null, size: null };
  const sink = new RTCVideoSink(receiver.track);
  const seen = new Promise((resolve) => {
    sink.onframe = ({ frame }) => {
      reader.frames++;
      reader.newest = frame;
      resolve(performance.now());
    };
  });
  const connected = new Promise((resolve, reject) => {
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "connected") resolve(performance.now());
      else if (connection.connectionState === "failed") reject(new Error("the connection failed"));
    };
  });
  await connection.setLocalDescription(await connection.createOffer());
  const { answer, resource } = await post(connection.localDescription.sdp);
  reader.resource = resource;
  await connection.setRemoteDescription({ type: "answer", sdp: answer });
  const connectedAt = await within(60, "connecting", connected);
  const seenAt = await within(60, "the first frame", seen);
  reader.codec = answer.match(/^a=rtpmap:\d+ (\S+)\/90000/m)[1];
  reader.end = async () => {
    sink.stop();
    await remove(resource);
    connection.close();
  };
  reader.figures = { ms: connectedAt - begun, frame_ms: seenAt - connectedAt, codec: reader.codec };
  return reader;
}

for (let attempt = 0; attempt < (options.tries ?? 0); attempt++) {
  const reader = await read();
  say("connected", reader.figures);
  await reader.end();
}

const readers = [];
for (let index = 0; index < (options.readers ?? 0); index++) {
  readers.push(await read());
  say("connected", readers[index].figures);
}
if (readers.length) {
  const begun = performance.now();
  for (const reader of readers) reader.frames = 0;
  await told();
  const seconds = (performance.now() - begun) / 1000;
  for (const reader of readers) {
    const { width, height } = reader.newest;
    say("seen", { fps: reader.frames / seconds, width, height, colours: colours(reader.newest) });
    await reader.end();
  }
}
say("done");
process.exit(0);
