import { z } from "zod";

/** How many a caller asks for at most: a whole number of the query from 1 to `most`, or else `usual`. */
export const limit = (most: number, usual: number) => z.coerce.number().int().min(1).max(most).default(usual);
