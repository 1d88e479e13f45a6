import type { Answers, Tally } from "../../domain/evidence/figures.ts";
import type { BothSides } from "../../domain/evidence/judgement.ts";
import { errorRate, plusAnswers } from "./answers.ts";

/**
 * An answer counts when it is complete and its counter is read, which may be later at one side: it is slower, or its
 * servers are asked after the other's. Where an outage behind both begins or ends, that alone makes the sides of one
 * block differ, and the more requests there are the more surely. So in a block in which the rate of both together
 * changes, a part of the candidate's answers counts as not marked, which can only weaken the evidence.
 */
const LATE_PART = 0.4;
/** A change of the rate by this share, and by so many standard deviations, is no chance. */
const LEAST_CHANGE = 0.05;
const DEVIATIONS = 4;

/**
 * The candidate's answers without the marks that an edge may account for.
 * @param before both sides' answers in the block before; null without one
 * @param now those of this one
 */
export function withoutMarksOfEdge(candidate: Tally, before: Tally | null, now: Tally): Tally {
  if (before === null || before.requests === 0 || now.requests === 0) return candidate;
  const change = Math.abs(errorRate(now) - errorRate(before));
  const rate = (now.errors + before.errors) / (now.requests + before.requests);
  const deviation = Math.sqrt(rate * (1 - rate) * (1 / now.requests + 1 / before.requests));
  const isEdge = change >= LEAST_CHANGE && change >= DEVIATIONS * deviation;
  const late = isEdge ? Math.ceil(LATE_PART * candidate.requests) : 0;
  return { ...candidate, errors: Math.max(0, candidate.errors - late) };
}

export const together = ({ candidate, baseline }: BothSides): Answers => plusAnswers(candidate, baseline);
