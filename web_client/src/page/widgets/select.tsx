/** A labelled list to choose one of. */

interface SelectProps<T extends string> {
  label: string;
  value: T;
  /** Each option with its name. */
  options: readonly (readonly [T, string])[];
  class?: string;
  choose: (chosen: T) => void;
}

export function Select<T extends string>({ label, value, options, choose, ...rest }: SelectProps<T>) {
  return (
    <label class={rest.class ?? "option"}>
      <span>{label}</span>
      <select
        value={value}
        onChange={(event) => {
          const chosen = options[event.currentTarget.selectedIndex];
          if (chosen) choose(chosen[0]);
        }}
      >
        {options.map(([option, name]) => (
          <option key={option} value={option}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
