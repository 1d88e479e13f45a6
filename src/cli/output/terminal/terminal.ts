import type { Ora } from "ora";
import pc from "picocolors";
import { escaped } from "../../../agents/model_deployer/domain/values/plain_text.ts";
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

/** The colours that this program writes itself; `8` would hide what follows it. */
const COLOURS = /(\u001b\[(?!8m)\d{1,2}m)/;

/** Whatever a row holds, no more than colours reaches the terminal; in JSON it is the same text. */
function safe(line: string, typed: (text: string) => string = (text) => text): string {
  return line
    .split(COLOURS)
    .map((part) => (COLOURS.test(part) ? part : typed(escaped(part))))
    .join("");
}

/** A terminal that nobody has told its size says that it has 0 columns. */
const isWidth = (columns: number | undefined): columns is number => columns !== undefined && columns > 0;

function fit(lines: string[], { isTTY, columns }: MaybeTerminal): string[] {
  return isTTY === true && isWidth(columns) ? lines.map((line) => wrapped(line, columns)) : lines;
}

interface Shown {
  json: boolean;
  /** Commands in a text as they can be typed by whoever reads it; the same text unless given. */
  typed?: (text: string) => string;
}

/** How long work takes before its progress is shown. */
const QUIET_MS = 2000;

/** A command's output: results on stdout, everything else on stderr; control characters for terminals only. */
export class Terminal {
  readonly streams: Streams;
  readonly json: boolean;
  readonly paint: Paint;
  readonly #paintErrors: Paint;
  readonly #typed: (text: string) => string;

  constructor(streams: Streams, { json, typed = (text) => text }: Shown) {
    this.#typed = typed;
    this.streams = streams;
    this.json = json;
    this.paint = pc.createColors(streams.stdout.isTTY === true && pc.isColorSupported && !json);
    this.#paintErrors = pc.createColors(streams.stderr.isTTY === true && pc.isColorSupported);
  }

  /** Whether a person can be asked. */
  get isInteractive(): boolean {
    const { stdin, stderr } = this.streams;
    return stdin.isTTY === true && stderr.isTTY === true && !this.json;
  }

  /** Of stdout; infinite where it is none. */
  get columns(): number {
    const { isTTY, columns } = this.streams.stdout;
    return isTTY === true && isWidth(columns) ? columns : Infinity;
  }

  out(lines: string[]): void {
    this.streams.stdout.write(`${this.fitted(lines).join("\n")}\n`);
  }

  err(render: (paint: Paint) => string[]): void {
    const lines = fit(this.#safe(render(this.#paintErrors)), this.streams.stderr);
    this.streams.stderr.write(`${lines.join("\n")}\n`);
  }

  /** Lines for stdout: wrapped on a terminal, unchanged for a script. */
  fitted(lines: string[]): string[] {
    return this.json ? lines.map((line) => safe(line)) : fit(this.#safe(lines), this.streams.stdout);
  }

  #safe(lines: string[]): string[] {
    return lines.map((line) => safe(line, this.#typed));
  }

  /** Shows work under way once it has taken two seconds; `tell` replaces the text. Silent with `--json`. */
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
    let text = first;
    let spinner: Ora | null = null;
    let isOver = false;
    const start = async () => {
      // Most work has ended by then, and needs none of it.
      const { default: ora } = await import("ora");
      if (!isOver) spinner = ora({ text, stream: this.streams.stderr, discardStdin: false }).start();
    };
    const timer = setTimeout(() => void start(), QUIET_MS);
    return {
      tell: (next: string) => {
        text = next;
        if (spinner !== null) spinner.text = next;
      },
      stop: () => {
        isOver = true;
        clearTimeout(timer);
        spinner?.stop();
      },
    };
  }

  #plainLines(first: string) {
    let text = first;
    let written: string | null = null;
    let isLate = false;
    const write = () => {
      // A state that has not changed is told once.
      if (text === written) return;
      written = text;
      this.streams.stderr.write(text.endsWith(".") ? `${text}\n` : `${text} ...\n`);
    };
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
