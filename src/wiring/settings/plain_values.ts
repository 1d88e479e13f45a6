import { z } from "zod";

/** As people write a number: no blanks, no hexadecimal, no unit. An exponent is one. */
const DECIMAL = /^[+-]?(\d+(\.\d+)?|\.\d+)(e[+-]?\d{1,3})?$/i;
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Why a setting's text is none, whatever the setting means; null where it may be one. */
export function unreadable(schema: z.core.SomeType | undefined, text: string): string | null {
  if (text.trim() === "") return "a value, and not blanks alone";
  if (CONTROL.test(text)) return "a value on one line, without control characters";
  if (schema !== undefined && isNumber(schema) && !isDecimal(text)) return "a decimal number without a unit";
  return null;
}

/** Whether it is a number as people write one, such as 0.05 or 1e3. */
export const isDecimal = (text: string): boolean => DECIMAL.test(text);

/** Whether the setting takes a number and no word. */
export function isNumber(schema: z.core.SomeType): boolean {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) return isNumber(schema.unwrap());
  return schema instanceof z.ZodNumber;
}
