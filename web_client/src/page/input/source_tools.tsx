/** The tools of a camera, a screen or a file. Those of the drawing are in `draw_tools`. */

import { strings } from "../../languages/strings";
import type { Camera } from "../../sources/camera";
import type { FileSource } from "../../sources/file";
import { Check } from "../widgets/check";
import { FileButton } from "../widgets/file_button";
import { Icon } from "../widgets/icons";

export function CameraTools({ camera, choose }: { camera: Camera; choose: (deviceId: string) => void }) {
  const words = strings.source;
  return (
    <>
      <label class="inline grow">
        <span class="hidden">{words.device}</span>
        <select value={camera.deviceId.value} onChange={(event) => choose(event.currentTarget.value)}>
          {camera.devices.value.map((device, index) => (
            <option key={device.deviceId} value={device.deviceId}>
              {device.label || words.unnamedDevice(index + 1)}
            </option>
          ))}
        </select>
      </label>
      <Check of={camera.mirrored} label={words.mirror} />
    </>
  );
}

export function ScreenTools({ choose }: { choose: () => void }) {
  return (
    <>
      <button type="button" onClick={choose}>
        <Icon name="screen" />
        {strings.source.otherScreen}
      </button>
    </>
  );
}

interface FileToolsProps {
  source: FileSource;
  accept: string;
  isTrimmed: boolean;
  take: (file: File) => void;
}

export function FileTools({ source, accept, isTrimmed, take }: FileToolsProps) {
  const words = strings.source;
  const isPlaying = source.isPlaying.value;
  return (
    <>
      <FileButton accept={accept} take={take}>
        <Icon name="file" />
        {words.open}
      </FileButton>
      {(source.hasVideo.value || source.isAnimated.value) && (
        <button
          type="button"
          class="icon-only"
          aria-label={isPlaying ? words.pause : words.play}
          title={isPlaying ? words.pause : words.play}
          onClick={() => source.togglePlay()}
        >
          <Icon name={isPlaying ? "freeze" : "play"} />
        </button>
      )}
      {source.hasVideo.value && !isTrimmed ? (
        <input
          class="grow"
          type="range"
          aria-label={words.position}
          min={0}
          max={source.duration_s.value}
          step={0.1}
          value={source.position_s.value}
          onInput={(event) => source.seek(event.currentTarget.valueAsNumber)}
        />
      ) : (
        <span class="detail file-name">{source.name.value}</span>
      )}
    </>
  );
}
