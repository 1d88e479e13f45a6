/** A name as one word of a command that is typed as it stands, whatever characters it has. */
export const shellWord = (name: string): string =>
  /^[\w.@:/-]+$/.test(name) && !name.startsWith("-") ? name : `'${name.replaceAll("'", `'\\''`)}'`;
