// A WHIP publisher on libdatachannel, as OBS is: Opus first (mid 0), H.264 second (mid 1), bundled, sendonly.
//
// Options: url, token, frames (a file: of each frame its length as u32 and an Annex B access unit), fps, candidates
// (whether the offer has them, as that of OBS 30.0 and 30.1; later ones send none), audio (times real time; 0: an
// audio section on which nothing is sent), tries (connect, end, again) or none (stay until standard input closes).

import { readFileSync } from "node:fs";
import * as rtc from "node-datachannel";
import { options, post, remove, say, sleep, told, within } from "./common.mjs";

const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]); // 20 ms of Opus
const file = readFileSync(options.frames);
const frames = [];
for (let at = 0; at < file.length; ) {
  const length = file.readUInt32BE(at);
  frames.push(file.subarray(at + 4, at + 4 + length));
  at += 4 + length;
}

function sender(connection, description, type, ssrc, packetizer) {
  description.addSSRC(ssrc, "cname", "stream", type);
  const track = connection.addTrack(description);
  const opened = new Promise((resolve) => track.onOpen(resolve));
  const handler = packetizer();
  handler.addToChain(new rtc.RtcpSrReporter(handler.rtpConfig));
  handler.addToChain(new rtc.RtcpNackResponder());
  track.setMediaHandler(handler);
  return { track, opened, config: handler.rtpConfig };
}

function tracks(connection) {
  const audio = new rtc.Audio("0", "SendOnly");
  audio.addOpusCodec(111);
  const video = new rtc.Video("1", "SendOnly");
  video.addH264Codec(96, "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1");
  return [
    sender(connection, audio, "audio", 1001, () =>
      new rtc.RtpPacketizer(new rtc.RtpPacketizationConfig(1001, "cname", 111, 48000))),
    sender(connection, video, "video", 1002, () =>
      new rtc.H264RtpPacketizer("StartSequence", new rtc.RtpPacketizationConfig(1002, "cname", 96, 90000), 1200)),
  ];
}

async function connect() {
  const begun = performance.now();
  const connection = new rtc.PeerConnection("publisher", { iceServers: [], bindAddress: "127.0.0.1", forceMediaTransport: true });
  let offered;
  const offer = new Promise((resolve) => (offered = resolve));
  connection.onLocalDescription((sdp) => options.candidates || offered(sdp));
  connection.onGatheringStateChange((state) => {
    if (options.candidates && state === "complete") offered(connection.localDescription().sdp);
  });
  const connected = new Promise((resolve, reject) => {
    connection.onStateChange((state) => {
      if (state === "connected") resolve();
      else if (state === "failed") reject(new Error("the connection failed"));
    });
  });
  const [audio, video] = tracks(connection);
  connection.setLocalDescription("offer");
  const sdp = await within(30, "gathering", offer);
  const has = (sdp.match(/^a=candidate:/gm) ?? []).length;
  if (has > 0 !== Boolean(options.candidates)) throw new Error(`the offer has ${has} candidates`);
  const { answer, resource } = await post(sdp);
  connection.setRemoteDescription(answer, "answer");
  await within(60, "connecting", connected);
  await within(30, "opening", Promise.all([audio.opened, video.opened])); // comes a moment later
  return { connection, audio, video, resource, ms: performance.now() - begun };
}

async function send({ audio, video }, until) {
  const begun = performance.now();
  let sent = 0;
  let sounds = 0;
  while (!until()) {
    const elapsed = (performance.now() - begun) / 1000;
    for (; sounds < elapsed * 50 * options.audio; sounds++) {
      audio.config.timestamp = 960 * sounds;
      audio.track.sendMessageBinary(SILENCE);
    }
    // No more than the next one, however late: it is not a file transfer.
    if (sent <= elapsed * options.fps) {
      video.config.timestamp = Math.round((90000 * sent) / options.fps);
      video.track.sendMessageBinary(frames[sent % frames.length]);
      sent++;
    }
    await sleep(2);
  }
  return sent;
}

for (let attempt = 0; attempt < (options.tries ?? 0); attempt++) {
  const peer = await connect();
  let sent = 0;
  if (options.fps) {
    const end = performance.now() + 200;
    sent = await send(peer, () => performance.now() > end);
  }
  await remove(peer.resource);
  peer.connection.close();
  say("connected", { ms: peer.ms, sent });
}

if (!options.tries) {
  const peer = await connect();
  say("connected", { ms: peer.ms });
  let over = false;
  told().then(() => (over = true));
  const sent = await send(peer, () => over);
  say("sent", { frames: sent });
  await remove(peer.resource);
  peer.connection.close();
}
say("done");
rtc.cleanup();
process.exit(0);
