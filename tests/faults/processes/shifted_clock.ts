/** Loaded before all else into a process whose clock is to be off, by CLOCK_OFFSET_MS; timers and the monotonic clock stay. */
const offset = Number(process.env["CLOCK_OFFSET_MS"] ?? 0);

globalThis.Date = new Proxy(Date, {
  construct: (target, values, newTarget) => {
    const shifted = values.length === 0 ? [target.now() + offset] : values;
    const made: unknown = Reflect.construct(target, shifted, newTarget);
    return made instanceof target ? made : new target();
  },
  get: (target, key): unknown => (key === "now" ? () => target.now() + offset : Reflect.get(target, key)),
});
