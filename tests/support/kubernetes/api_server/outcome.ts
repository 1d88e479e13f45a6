import { Refusal } from "./object_store.ts";

export interface Answer {
  status: number;
  body: string;
}

export type Outcome = Answer | Refusal;

export function json(status: number, body: unknown): Answer {
  return { status, body: JSON.stringify(body) };
}

export function answered(status: number, outcome: object): Outcome {
  return outcome instanceof Refusal ? outcome : json(status, outcome);
}
