import type { DecisionContext } from "../../domain/requests.ts";
import type { RolloutPlan } from "../../domain/traffic/rollout.ts";
import type { RolloutExpectation, StepExpectation } from "../../domain/traffic/rollout_expectation.ts";
import type { PlannedTraffic } from "../../domain/traffic/planned_traffic.ts";
import { answersToExclude, foundWithin } from "../../judge/needed_answers.ts";
import { percent } from "../../judge/sentences.ts";
import { count } from "../../planning/wording/count.ts";
import { lasting, paceText } from "../../planning/wording/pace.ts";
import type { DeployFacts } from "./facts.ts";

/** Null where nothing is rolled out, or nobody knows how much its baseline has answered. */
export function expectationOf(
  { rollout, baseline }: PlannedTraffic,
  { deployments, figures }: DeployFacts,
  { now }: DecisionContext,
): RolloutExpectation | null {
  if (rollout === null || baseline === null || figures === null) return null;
  const since = deployments.find((one) => one.deployment_id === baseline)?.activated_at ?? null;
  if (since === null) return null;
  const { requests, errors } = figures.find((one) => one.deployment_id === baseline) ?? {
    requests: 0,
    errors: 0,
  };
  const pace = requests / Math.max(1, (Date.parse(now) - Date.parse(since)) / 1000);
  const rate = (errors + 0.2) / (requests + 20);
  return {
    requests_per_second: pace,
    failure_rate: requests === 0 ? 0 : errors / requests,
    margin: rollout.judge.margin,
    steps: pace === 0 ? [] : stepsAt(rollout, { pace, rate }),
  };
}

function stepsAt({ steps, judge }: RolloutPlan, { pace, rate }: { pace: number; rate: number }) {
  return steps.flatMap(({ weight, bake_seconds }, index): StepExpectation[] => {
    if (weight === 100) return [];
    const share = weight / 100;
    const needsBound = index === steps.length - 2 && judge.margin < 1;
    const forBound = needsBound ? answersToExclude(rate, share, judge) : 0;
    const answers_needed = Math.max(judge.minimum_samples, forBound);
    const seconds = Math.max(bake_seconds, answers_needed / (pace * share));
    return [
      {
        weight,
        seconds,
        answers_needed,
        finds_worse_by: foundWithin(seconds * pace * share, rate, share, judge),
        excludes_margin_after_seconds: needsBound ? forBound / (pace * share) : null,
      },
    ];
  });
}

/** From here on it matters much for a step's length that a candidate is expected to fail as often. */
const FAILS_OFTEN = 0.05;

/** How long each step is likely to take, and what it can show by then; told before a rollout begins. */
export function expectationNotes(
  expected: RolloutExpectation | null,
  { rollout, baseline }: PlannedTraffic,
): string[] {
  if (expected === null || rollout === null || baseline === null) return [];
  if (expected.requests_per_second === 0) {
    const needed = count(rollout.judge.minimum_samples, "answer");
    return [
      `No request has come to ${baseline} since it serves. Each step waits for ${needed} of the candidate, however long that takes, and too little traffic never rolls it back.`,
    ];
  }
  const last = rollout.steps.at(-1)?.bake_seconds ?? 0;
  const steps = expected.steps.map((step) => stepText(step, expected.margin));
  const all = last === 0 ? "then all" : `then all, watched for ${lasting(last)}`;
  const pace = paceText(expected.requests_per_second, "requests");
  const { failure_rate: rate } = expected;
  const sooner =
    rate < FAILS_OFTEN
      ? ""
      : ` ${baseline} fails ${percent(rate)}; a candidate that fails fewer excludes the margin sooner.`;
  return [`At ${pace}, as ${baseline} has answered so far: ${[...steps, all].join(", ")}.${sooner}`];
}

function stepText(step: StepExpectation, margin: number): string {
  const {
    weight,
    seconds,
    answers_needed,
    finds_worse_by: found,
    excludes_margin_after_seconds: bound,
  } = step;
  const shows = [
    count(answers_needed, "answer"),
    ...(found === null ? [] : [`finds a candidate that is worse by ${percent(found)}`]),
    ...(bound === null ? [] : [`can exclude after ${lasting(bound)} that it is worse by ${percent(margin)}`]),
  ];
  return `${weight} % for about ${lasting(seconds)} (${shows.join(", ")})`;
}
