import { z } from "zod";

const versionSchema = z.object({ metadata: z.object({ uid: z.string(), resourceVersion: z.string() }) });

interface Kept<T> {
  version: string;
  object: T;
}

/**
 * Reads each object of a cluster once for each of its versions, since most of a long list is as it was in the last one.
 * An object that a whole list does not hold is forgotten after it.
 */
export class ParsedOnce<T> {
  readonly schema: z.ZodType<T>;
  #last = new Map<string, Kept<T>>();
  #now = new Map<string, Kept<T>>();

  constructor(object: z.ZodType<T>) {
    this.schema = z.unknown().transform((given, context) => {
      const { data: identity } = versionSchema.safeParse(given);
      const { uid, resourceVersion: version } = identity?.metadata ?? { uid: "", resourceVersion: "" };
      const kept = this.#now.get(uid) ?? this.#last.get(uid);
      if (kept?.version === version) {
        this.#now.set(uid, kept);
        return kept.object;
      }
      const read = object.safeParse(given);
      if (!read.success) {
        for (const { path, message } of read.error.issues)
          context.addIssue({ code: "custom", path, message });
        return z.NEVER;
      }
      this.#now.set(uid, { version, object: read.data });
      return read.data;
    });
  }

  /** Told at the end of each whole list. */
  listed(): void {
    this.#last = this.#now;
    this.#now = new Map();
  }
}
