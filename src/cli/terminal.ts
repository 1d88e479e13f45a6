import ora from "ora";
import pc from "picocolors";
import { wrapped } from "./wrapped.ts";

export type Paint = ReturnType<typeof pc.createColors>;

interface MaybeTerminal {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

export interface Streams {
  stdin: NodeJS.ReadableStream & MaybeTerminal;
  stdout: NodeJS.WritableStream & MaybeTerminal;
  stderr: NodeJS.WritableStream & MaybeTerminal;
}

function fit(lines: string[], { isTTY, columns }: MaybeTerminal): string[] {
  return isTTY === true && columns !== undefined ? lines.map((line) => wrapped(line, columns)) : lines;
}

/** How long something takes before it is worth telling that it goes on. */
const QUIET_MS = 2000;

/** Where a command speaks: results on stdout, everything else on stderr; control characters for terminals only. */
export class Terminal {
  readonly streams: Streams;
  readonly json: boolean;
  readonly paint: Paint;
  readonly #paintErrors: Paint;

  constructor(streams: Streams, { json }: { json: boolean }) {
    this.streams = streams;
    this.json = json;
    this.paint = pc.createColors(streams.stdout.isTTY === true && pc.isColorSupported && !json);
    this.#paintErrors = pc.createColors(streams.stderr.isTTY === true && pc.isColorSupported);
  }

  /** Somebody sits there and can be asked. */
  get isInteractive(): boolean {
    const { stdin, stderr } = this.streams;
    return stdin.isTTY === true && stderr.isTTY === true && !this.json;
  }

  /** Of stdout; infinite where it is none. */
  get columns(): number {
    const { isTTY, columns } = this.streams.stdout;
    return isTTY === true && columns !== undefined ? columns : Infinity;
  }

  out(lines: string[]): void {
    this.streams.stdout.write(`${this.fitted(lines).join("\n")}\n`);
  }

  err(render: (paint: Paint) => string[]): void {
    const lines = fit(render(this.#paintErrors), this.streams.stderr);
    this.streams.stderr.write(`${lines.join("\n")}\n`);
  }

  /** As stdout shows them: wrapped where it is a terminal, and as they are for a script. */
  fitted(lines: string[]): string[] {
    return this.json ? lines : fit(lines, this.streams.stdout);
  }

  /** Shows what is under way once it has taken two seconds; `tell` replaces the text. Silent with `--json`. */
  async withProgress<T>(text: string, work: (tell: (text: string) => void) => Promise<T>): Promise<T> {
    if (this.json) return work(() => undefined);
    const teller = this.streams.stderr.isTTY === true ? this.#spinner(text) : this.#plainLines(text);
    try {
      return await work(teller.tell);
    } finally {
      teller.stop();
    }
  }

  #spinner(first: string) {
    const spinner = ora({ text: first, stream: this.streams.stderr, discardStdin: false });
    const timer = setTimeout(() => spinner.start(), QUIET_MS);
    return {
      tell: (text: string) => {
        spinner.text = text;
      },
      stop: () => {
        clearTimeout(timer);
        spinner.stop();
      },
    };
  }

  #plainLines(first: string) {
    let text = first;
    let isLate = false;
    const write = () => this.streams.stderr.write(text.endsWith(".") ? `${text}\n` : `${text} ...\n`);
    const timer = setTimeout(() => {
      isLate = true;
      write();
    }, QUIET_MS);
    return {
      tell: (next: string) => {
        text = next;
        if (isLate) write();
      },
      stop: () => clearTimeout(timer),
    };
  }
}
