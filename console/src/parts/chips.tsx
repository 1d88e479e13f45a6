interface Props<T> {
  label: string;
  /** Each choice with the words that it is shown as. */
  choices: readonly (readonly [words: string, value: T])[];
  chosen: T | null;
  onChoose: (value: T) => void;
}

/** A choice of a few, each a button that stays pressed. */
export function Chips<T extends string | number>({ label, choices, chosen, onChoose }: Props<T>) {
  return (
    <div class="chips" role="group" aria-label={label}>
      {choices.map(([words, value]) => (
        <button
          key={value}
          type="button"
          class="chip"
          aria-pressed={value === chosen}
          onClick={() => onChoose(value)}
        >
          {words}
        </button>
      ))}
    </div>
  );
}
