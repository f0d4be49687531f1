/** The list of cues, each a whole look, and the buttons that play it. */

import { addressOfJpeg } from "../../browser/thumbnail";
import { strings } from "../../languages/strings";
import { MAX_TRANSITION_S } from "../../looks/look";
import { picturesOf } from "../../looks/blend";
import type { Pictures } from "../../looks/pictures";
import { promptFrom, promptText } from "../../params/styles";
import type { Cue } from "../../vj/cues";
import type { Show } from "../../vj/show";
import { Check } from "../widgets/check";
import { IconButton } from "../widgets/icon_button";
import { Icon } from "../widgets/icons";
import { NumberOption } from "../widgets/number_option";
import { TextBox } from "../widgets/text_box";
import { Thumb } from "../widgets/thumb";

export function CuesPart({ show, pictures }: { show: Show; pictures: Pictures }) {
  const words = strings.show;
  const change = (index: number, cue: Partial<Cue>) => {
    show.cues.value = show.cues.value.map((each, at) => (at === index ? { ...each, ...cue } : each));
  };
  return (
    <section aria-labelledby="show-cues">
      <h3 id="show-cues">{words.cues}</h3>
      <ol class="cues">
        {show.cues.value.map(({ look, picture, fade_s, hold_s }, index) => (
          <li key={index} data-on={show.cue.value === index} aria-current={show.cue.value === index}>
            <div class="cue-prompt">
              {picture && <img class="cue-picture" src={addressOfJpeg(picture)} alt="" />}
              {picturesOf(look.prompt).map((part, at) => (
                <Thumb key={at} pictures={pictures} id={part.picture} label={strings.prompt.picture(at + 1)} />
              ))}
              <TextBox
                label={words.cuePrompt(index + 1)}
                value={promptText(look.prompt)}
                change={(typed) => {
                  change(index, { look: { ...look, prompt: promptFrom(typed, picturesOf(look.prompt)) } });
                }}
              />
            </div>
            <NumberOption label={words.fade} value={fade_s} max={MAX_TRANSITION_S} change={(s) => change(index, { fade_s: s })} />
            <NumberOption label={words.hold} value={hold_s} max={3600} change={(s) => change(index, { hold_s: s })} />
            <IconButton icon="play" label={words.goToCue(index + 1)} press={() => show.play(index)} />
            <IconButton icon="up" label={words.cueUp(index + 1)} isOff={index === 0} press={() => show.moveCueUp(index)} />
            <IconButton
              icon="close"
              label={words.removeCue(index + 1)}
              press={() => {
                show.cues.value = show.cues.value.filter((_, at) => at !== index);
              }}
            />
          </li>
        ))}
      </ol>
      <div class="tools">
        <button type="button" onClick={() => show.addCue()}>
          <Icon name="plus" />
          {words.addCue}
        </button>
        <button
          type="button"
          disabled={show.cues.value.length === 0}
          aria-pressed={show.isPlaying.value}
          data-midi="cues"
          onClick={() => show.togglePlay()}
        >
          <Icon name={show.isPlaying.value ? "stop" : "play"} />
          {show.isPlaying.value ? words.stop : words.play}
        </button>
        <button
          type="button"
          disabled={show.cues.value.length === 0}
          title={`${words.nextCue} (N)`}
          data-midi="nextCue"
          onClick={() => show.nextCue()}
        >
          {words.nextCue}
        </button>
        <Check of={show.loops} label={words.loop} />
      </div>
    </section>
  );
}
