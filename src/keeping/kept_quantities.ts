import { InvalidRequestError } from "../agents/model_deployer/errors.ts";

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const BYTES: Readonly<Record<string, number>> = { MB: 1e6, GB: 1e9, TB: 1e12 };

/** `90s`, `30m`, `12h`, `30d`, `4w`, in seconds. @throws InvalidRequestError */
export function durationOption(text: string, option: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? [];
  const seconds = Number(number) * (SECONDS[unit] ?? Number.NaN);
  if (seconds >= 0 && seconds <= 3650 * 86_400) return seconds;
  throw new InvalidRequestError(`${option} ${text}: give a number with s, m, h, d or w, as in 30d.`);
}

/** `500MB`, `20GB`, `1.5TB`, in bytes. @throws InvalidRequestError */
export function sizeOption(text: string, option: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s?(MB|GB|TB)$/i.exec(text) ?? [];
  const bytes = Number(number) * (BYTES[unit.toUpperCase()] ?? Number.NaN);
  if (Number.isFinite(bytes)) return bytes;
  throw new InvalidRequestError(`${option} ${text}: give a number with MB, GB or TB, as in 20GB.`);
}

/** `1.2 GB`, for people. */
export function sizeText(bytes: number): string {
  const [unit, size] = Object.entries(BYTES).findLast(([, one]) => bytes >= one) ?? ["MB", 1e6];
  return `${(bytes / size).toFixed(bytes >= 100 * size ? 0 : 1)} ${unit}`;
}
