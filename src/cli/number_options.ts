import { InvalidArgumentError } from "@commander-js/extra-typings";
import { isDecimal } from "../wiring/settings/plain_values.ts";

/** NaN where it is no number as people write one. */
export const numberIn = (text: string): number => (isDecimal(text) ? Number(text) : Number.NaN);

/** A number as people write one, be it out of range; nothing at all is none, though JavaScript takes it for 0. */
export function plainNumber(text: string): number {
  const value = numberIn(text);
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Give a number without a unit.");
}

export function numberBetween(least: number, most: number) {
  return (text: string): number => {
    const value = plainNumber(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a number from ${least} to ${most}.`);
  };
}

export function wholeNumberBetween(least: number, most: number) {
  return (text: string): number => {
    const value = plainNumber(text);
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}

/** 0 stands for one that is free. */
export const portNumber = wholeNumberBetween(0, 65_535);

/** Milliseconds between two rounds of a worker. */
export const IDLE = wholeNumberBetween(1, 3_600_000);
