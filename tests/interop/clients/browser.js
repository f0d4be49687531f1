// One peer of /rtc in a browser, without our web client: from offer to connected, then what it sees in a second.
// Runs in the page of the server. Options: session, codec (VP8 or H264), canvas (instead of the camera), seconds, stay,
// configuration (of the peer connection).
async (options) => {
  const now = () => performance.now();
  const made = options.canvas ? drawn() : await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", ...options.configuration });
  const ready = new Promise((resolve) => {
    peer.createDataChannel("control").onmessage = ({ data }) => JSON.parse(data).type === "ready" && resolve();
  });
  const video = document.createElement("video");
  video.muted = true;
  peer.ontrack = ({ streams }) => {
    video.srcObject = streams[0];
    void video.play();
  };
  const transceiver = peer.addTransceiver(made.getVideoTracks()[0], { direction: "sendrecv", streams: [made] });
  const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
  const wanted = codecs.filter((codec) => codec.mimeType === `video/${options.codec}`);
  if (wanted.length === 0) return { missing: options.codec };
  transceiver.setCodecPreferences(wanted);

  const begun = now();
  const connected = new Promise((resolve, reject) => {
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === "connected") resolve(now() - begun);
      if (peer.connectionState === "failed") reject(new Error("failed"));
    };
  });
  await peer.setLocalDescription();
  const hidden = options.canvas && !/candidate:.*\b\d+\.\d+\.\d+\.\d+ /.test(await gathered());
  const answer = await fetch(`/rtc?session=${options.session}`, {
    method: "POST",
    headers: { "content-type": "application/sdp" },
    body: peer.localDescription.sdp,
  });
  if (answer.status !== 201) return { refused: await answer.text() };
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  const ms = await connected;
  await ready;

  let shown = 0;
  let width = 0;
  const count = () => {
    shown++;
    width = video.videoWidth;
    video.requestVideoFrameCallback(count);
  };
  if (options.seconds) {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    await new Promise((resolve) => setTimeout(resolve, 2000));
    video.requestVideoFrameCallback(count);
    await new Promise((resolve) => setTimeout(resolve, options.seconds * 1000));
  }
  const used = [...(await peer.getStats()).values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
  if (!options.stay) {
    for (const track of made.getTracks()) track.stop();
    peer.close();
    await fetch(answer.headers.get("location"), { method: "DELETE" });
  } else {
    window.kept = peer; // or it may be collected
  }
  return { ms, hidden, width, fps: options.seconds ? shown / options.seconds : null, decoded: used?.framesDecoded ?? 0 };

  function gathered() {
    return new Promise((resolve) => {
      const look = () => peer.iceGatheringState === "complete" && resolve(peer.localDescription.sdp);
      peer.addEventListener("icegatheringstatechange", look);
      look();
    });
  }

  function drawn() {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 256;
    const context = canvas.getContext("2d");
    let turn = 0;
    setInterval(() => {
      context.fillStyle = `hsl(${(turn += 5)} 80% 50%)`;
      context.fillRect(0, 0, 256, 256);
    }, 33);
    return canvas.captureStream(30);
  }
};
