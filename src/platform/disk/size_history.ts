import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { SizeSample } from "../../keeping/disk_forecast.ts";
import { parsedJson } from "../parsed_json.ts";

const sampleSchema = z.strictObject({ at: z.iso.datetime(), bytes: z.number(), free_bytes: z.number() });
/** A fortnight of hours. */
const KEPT = 336;

/** How large a home was, hour by hour: what `doctor` tells by how long its disk lasts. */
export class SizeHistory {
  readonly #home: string;
  readonly #path: string;

  constructor(home: string) {
    this.#home = home;
    this.#path = join(home, "sizes.json");
  }

  /** Oldest first; none where there is no file, or one that cannot be read. */
  async read(): Promise<SizeSample[]> {
    const text = await readFile(this.#path, "utf8").catch(() => "");
    const parsed = z.array(sampleSchema).safeParse(parsedJson(text));
    return parsed.success ? parsed.data : [];
  }

  async add(sample: SizeSample): Promise<void> {
    const samples = [...(await this.read()), sample].slice(-KEPT);
    await mkdir(this.#home, { recursive: true, mode: 0o700 });
    const scratch = `${this.#path}.${process.pid}`;
    await writeFile(scratch, JSON.stringify(samples), { mode: 0o600 });
    await rename(scratch, this.#path);
  }
}
