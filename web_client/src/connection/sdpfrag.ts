/** ICE candidates as an SDP fragment (RFC 8840), the body of a trickling PATCH. Pure. */

export interface IceCredentials {
  ufrag: string;
  pwd: string;
}

/** The ICE credentials of a session description; null where it has none. */
export function iceCredentials(sdp: string): IceCredentials | null {
  const ufrag = sdp.match(/^a=ice-ufrag:(\S+)/m)?.[1];
  const pwd = sdp.match(/^a=ice-pwd:(\S+)/m)?.[1];
  return ufrag !== undefined && pwd !== undefined ? { ufrag, pwd } : null;
}

/**
 * @param candidates as browsers give them: `candidate:…`.
 * @param isLast whether no more will come.
 */
export function sdpFragment({ ufrag, pwd }: IceCredentials, mid: string, candidates: string[], isLast: boolean): string {
  const lines = [
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    // Of a bundle only the first section's candidates count, and that is the video.
    "m=video 9 UDP/TLS/RTP/SAVPF 0",
    `a=mid:${mid}`,
    ...candidates.map((candidate) => `a=${candidate}`),
    ...(isLast ? ["a=end-of-candidates"] : []),
  ];
  return lines.map((line) => `${line}\r\n`).join("");
}
