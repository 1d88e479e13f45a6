import { CommanderError, type CommandUnknownOpts, InvalidArgumentError } from "@commander-js/extra-typings";

/** The program's own words. `--help` ends it with 0 and the usage; whatever is wrong with them, with 2 and a sentence. */
export function parseWords(command: CommandUnknownOpts): void {
  try {
    command.exitOverride().parse(process.argv.slice(2), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? 0 : 2);
  }
}

/** One of the names, as often as the option is given. */
export function oneOf(names: readonly string[]) {
  return (name: string, before: readonly string[] = []): readonly string[] => {
    if (names.includes(name)) return [...before, name];
    throw new InvalidArgumentError(`The names are ${names.join(", ")}.`);
  };
}

export function aDatabase(url: string): string {
  if (/^postgres(ql)?:\/\/./.test(url) && URL.canParse(url)) return url;
  throw new InvalidArgumentError("Give an address such as postgres://me@127.0.0.1:5432/walk.");
}
