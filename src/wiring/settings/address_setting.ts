import { z } from "zod";

/** An address of one of these protocols, each with its colon. */
export const addressSetting = (protocols: string[]) =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `an address that begins with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
    );
