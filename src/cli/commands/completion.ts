import { RootCommand } from "@bomb.sh/tab";
import { Argument, type CommandUnknownOpts } from "@commander-js/extra-typings";

const SHELLS = ["bash", "zsh", "fish", "powershell"];

/** `completion <shell>` prints a script that completes commands, options and their choices, by asking `complete`. */
export function addCompletion(program: CommandUnknownOpts): void {
  const name = program.name();
  program
    .command("completion")
    .description(`print a shell's completions: eval "$(${name} completion bash)"`)
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .action((shell) => new RootCommand().setup(name, name, shell));
  program
    .command("complete", { hidden: true })
    .description("what may follow these words")
    .argument("[words...]")
    .action((words) => treeOf(program).parse(words));
}

function treeOf(program: CommandUnknownOpts): RootCommand {
  const root = new RootCommand();
  describe(program, root);
  for (const [path, command] of below(program, [])) {
    describe(command, root.command(path, command.description()));
  }
  return root;
}

/** Every command below this one that help shows, by its words. */
function below(command: CommandUnknownOpts, words: string[]): [string, CommandUnknownOpts][] {
  return command
    .createHelp()
    .visibleCommands(command)
    .flatMap((one) => {
      const path = [...words, one.name()];
      return [[path.join(" "), one] satisfies [string, CommandUnknownOpts], ...below(one, path)];
    });
}

type Described = ReturnType<RootCommand["command"]>;

function describe(command: CommandUnknownOpts, described: Described): void {
  for (const option of command.createHelp().visibleOptions(command)) {
    const long = option.long?.slice(2);
    if (long === undefined) continue;
    const short = option.short?.slice(1);
    const choices = option.argChoices ?? [];
    if (option.required || option.optional) described.option(long, option.description, offer(choices), short);
    else described.option(long, option.description, short);
  }
  for (const argument of command.registeredArguments) {
    described.argument(argument.name(), offer(argument.argChoices ?? []), argument.variadic);
  }
}

const offer =
  (choices: readonly string[]) =>
  (complete: (value: string, description: string) => void): void => {
    for (const choice of choices) complete(choice, "");
  };
