/** A button with an icon alone: its name is spoken, and shown on hover. */

import { type IconName, Icon } from "./icons";

interface IconButtonProps {
  icon: IconName;
  label: string;
  shortcut?: string;
  isPressed?: boolean;
  isOff?: boolean;
  press: () => void;
}

export function IconButton({ icon, label, shortcut, isPressed, isOff = false, press }: IconButtonProps) {
  return (
    <button
      type="button"
      class="icon-only"
      aria-label={label}
      title={shortcut ? `${label} (${shortcut})` : label}
      aria-pressed={isPressed}
      disabled={isOff}
      onClick={press}
    >
      <Icon name={icon} />
    </button>
  );
}
