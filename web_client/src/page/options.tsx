/** The options of this page, and its keys. */

import { transportChoices } from "../connection/transport_choice";
import { language, speak } from "../languages/language";
import { languageNames, languages } from "../languages/languages";
import { strings } from "../languages/strings";
import { refuges } from "../program/mix";
import type { Studio } from "../studio/studio";
import { themes } from "../studio/view";
import { ModelChooser } from "./model_chooser";
import { Check } from "./widgets/check";
import { Modal } from "./widgets/dialog";
import { Select } from "./widgets/select";

export function Help({ close }: { close: () => void }) {
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

export function Options({ studio: { client, view }, close }: { studio: Studio; close: () => void }) {
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
        <ModelChooser showLoras={() => (view.dialog.value = "loras")} />
      </div>
    </Modal>
  );
}
