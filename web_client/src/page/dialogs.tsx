/** The dialogs: the keys, the options of this page, and where its pictures go, which is loaded when it is first opened. */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { transportChoices } from "../connection/transport_choice";
import { language, speak } from "../languages/language";
import { languageNames, languages } from "../languages/languages";
import { strings } from "../languages/strings";
import { refuges } from "../program/mix";
import type { Studio } from "../studio/studio";
import { themes } from "../studio/view";
import type { ModelChooser } from "./model_chooser";
import type { LorasSheet } from "./loras";
import type { SendTo } from "./send_to";
import { Check } from "./widgets/check";
import { Modal } from "./widgets/dialog";
import { Select } from "./widgets/select";

export function Dialogs({ studio }: { studio: Studio }) {
  const close = () => {
    studio.view.dialog.value = null;
  };
  switch (studio.view.dialog.value) {
    case "help":
      return <Help close={close} />;
    case "send":
      return <LoadedSendTo studio={studio} close={close} />;
    case "loras":
      return <LoadedLoras close={close} />;
    case "options":
      return <Options studio={studio} close={close} />;
    case null:
      return null;
  }
}

const loaded = signal<typeof SendTo | null>(null);

function LoadedSendTo(props: { studio: Studio; close: () => void }) {
  useEffect(() => void import("./send_to").then(({ SendTo }) => (loaded.value = SendTo)), []);
  return loaded.value && <loaded.value {...props} />;
}

const chooser = signal<typeof ModelChooser | null>(null);

function LoadedModelChooser(props: { showLoras: () => void }) {
  useEffect(() => void import("./model_chooser").then(({ ModelChooser }) => (chooser.value = ModelChooser)), []);
  return chooser.value && <chooser.value {...props} />;
}

const lorasLoaded = signal<typeof LorasSheet | null>(null);

function LoadedLoras(props: { close: () => void }) {
  useEffect(() => void import("./loras").then(({ LorasSheet }) => (lorasLoaded.value = LorasSheet)), []);
  return lorasLoaded.value && <lorasLoaded.value {...props} />;
}

function Help({ close }: { close: () => void }) {
  return (
    <Modal title={strings.keys.title} close={close}>
      {strings.keys.groups.map(([title, keys]) => (
        <section key={title} class="keys">
          <h3>{title}</h3>
          <dl>
            {keys.map(([key, meaning]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Modal>
  );
}

function Options({ studio: { client, view }, close }: { studio: Studio; close: () => void }) {
  const words = strings.options;
  return (
    <Modal title={words.title} close={close}>
      <div class="options">
        <Select
          label={words.language}
          value={language.value}
          options={languages.map((each) => [each, languageNames[each]])}
          choose={(chosen) => void speak(chosen)}
        />
        <Select
          label={words.theme}
          value={view.theme.value}
          options={themes.map((each) => [each, words.themes[each]])}
          choose={(chosen) => {
            view.theme.value = chosen;
          }}
        />
        <Select
          label={words.refuge}
          value={view.refuge.value}
          options={refuges.map((each) => [each, words.refuges[each]])}
          choose={(chosen) => {
            view.refuge.value = chosen;
          }}
        />
        <Select
          label={strings.transport.title}
          value={client.dialer.choice.value}
          options={transportChoices.map((each) => [each, strings.transport[each]])}
          choose={(chosen) => client.chooseTransport(chosen)}
        />
        <Check of={client.pausesHidden} label={strings.source.pauseHidden} />
        <LoadedModelChooser showLoras={() => (view.dialog.value = "loras")} />
      </div>
    </Modal>
  );
}
