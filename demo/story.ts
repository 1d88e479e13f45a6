import pc from "picocolors";

const started = performance.now();

function clock(): string {
  return pc.dim(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s`);
}

// A terminal that was closed takes no more lines; what was begun is ended all the same.
process.stdout.on("error", () => undefined);
process.stderr.on("error", () => undefined);

function line(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The demo's output: one line an event, with the time since the start. */
export const story = {
  chapter: (title: string): void => {
    line(`\n${pc.bold(title)}`);
  },
  tell: (text: string): void => {
    line(`${clock()}  ${text}`);
  },
  good: (text: string): void => {
    line(`${clock()}  ${pc.green("ok")} ${text}`);
  },
  refused: (text: string): void => {
    line(`${clock()}  ${pc.yellow("refused")} ${text}`);
  },
  detail: (text: string): void => {
    line(`          ${pc.dim(text)}`);
  },
  setUp: (text: string): void => {
    line(`${clock()}  ${pc.dim(text)}`);
  },
};

/** One bar of 40 characters that shows who gets which share. */
export function trafficBar(shares: { label: string; weight: number }[]): string {
  const paints = [pc.cyan, pc.magenta, pc.yellow];
  const blocks = ["█", "▒", "░"];
  const bar = shares
    .map(({ weight }, index) =>
      (paints[index % paints.length] ?? pc.cyan)(
        (blocks[index % blocks.length] ?? "█").repeat(Math.round(weight * 0.4)),
      ),
    )
    .join("");
  const legend = shares
    .map(({ label, weight }, index) => (paints[index % paints.length] ?? pc.cyan)(`${label} ${weight} %`))
    .join("  ");
  return `${bar}  ${legend}`;
}
