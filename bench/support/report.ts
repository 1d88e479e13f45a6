import { cpus, loadavg } from "node:os";

/** Lines of cells under a heading; numbers are shown with two decimals. */
export function printTable(heading: readonly string[], rows: readonly (string | number)[][]): void {
  const lines = [heading, ...rows.map((row) => row.map(shown))];
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines) {
    const cells = line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    say(cells.join("  "));
  }
}

function shown(cell: string | number): string {
  return typeof cell === "number" ? cell.toFixed(2) : cell;
}

export function say(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** The machine of the figures, and its load: over the last minute, running processes a core. */
export function printMachine(): void {
  const cores = cpus();
  const load = loadavg()[0] ?? Number.NaN;
  say(
    `${cores.length} cores (${cores[0]?.model.trim() ?? "unknown"}), Node ${process.versions.node}, ` +
      `load over the last minute ${load.toFixed(2)}`,
  );
}

/** `--name=value` on the command line as a fraction, or what is usual. */
export function share(name: string, usual: number): number {
  const given = process.argv.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3);
  const parsed = Number(given ?? usual);
  if (parsed >= 0 && parsed <= 1) return parsed;
  throw new RangeError(`--${name}=${given}: give a fraction, 0 to 1`);
}

/** `--name=value` on the command line as a whole number, or what is usual. */
export function option(name: string, usual: number, least = 1): number {
  const given = process.argv.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3);
  const parsed = Number(given ?? usual);
  if (Number.isInteger(parsed) && parsed >= least) return parsed;
  throw new RangeError(`--${name}=${given}: give a whole number of at least ${least}`);
}
