import { z } from "zod";

export const betsSchema = z.object({
  /** How many blocks were bet on. */
  blocks: z.int().min(0),
  /** The part of each expert's stake that is not yet bet. */
  unstaked: z.number().min(0).max(1),
  /** Logarithms of the experts' wealth, by the subject of the bet; empty before the first block. */
  wealth: z.array(z.array(z.number())),
});
export type Bets = z.infer<typeof betsSchema>;

export const noBets: Bets = { blocks: 0, unstaked: 1, wealth: [] };
