import { readFileSync } from "node:fs";
import { Option } from "@commander-js/extra-typings";
import { parse } from "yaml";
import { z } from "zod";
import {
  type AskedJudgeSettings,
  judgeSettingsSchema,
} from "../../agents/model_deployer/domain/evidence/judgement.ts";
import {
  predictionSettingsSchema,
  type PredictionSettings,
} from "../../agents/model_deployer/domain/evidence/compared_predictions.ts";
import {
  outcomeSettingsSchema,
  type OutcomeSettings,
  usualOutcomeSettings,
} from "../../agents/model_deployer/domain/evidence/late_outcomes.ts";
import {
  metricsSettingsSchema,
  usualMetricSettings,
} from "../../agents/model_deployer/domain/evidence/team_metrics.ts";
import { plainNumber, numberIn } from "../number_options.ts";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";

/** Flags with their descriptions. */
const JUDGE_FLAGS = {
  alpha: ["--alpha <fraction>", "how likely a candidate is failed that is no worse; .01 by default"],
  margin: [
    "--margin <fraction>",
    "all traffic needs it excluded that the candidate is worse by this share; .02 by default, 1 asks for nothing",
  ],
  samples: ["--samples <count>", "answers of the candidate that each step needs; 50 by default"],
  effectFloor: [
    "--effect-floor <fraction>",
    "a difference of failures below it fails nobody; .01 by default, and at most the margin",
  ],
  whenInconclusive: [
    "--when-inconclusive <what>",
    "roll_back, pause or hold: what becomes of a rollout without a verdict; too little traffic never rolls it back",
  ],
  inconclusiveLooks: [
    "--inconclusive-looks <count>",
    "looks without a verdict before --when-inconclusive applies; 600 by default, one a second",
  ],
  outcomes: [
    "--outcomes <measure>",
    "compare predictions with outcomes told later, by accuracy, brier, log_loss or absolute_error; accuracy,minimum=200,worse_by=0.02,margin=0.05,sample=0.1 tells more, none compares nothing",
  ],
  predictions: [
    "--predictions <shift>",
    "compare how both sides predict, from their logs: a shift of this share of the answers fails a candidate; tell only tells, none compares nothing",
  ],
  metrics: [
    "--metrics <file>",
    "metrics of the team by name, as YAML or JSON, each with a query of its Prometheus; none compares nothing",
  ],
} as const;

const number = z.number().optional();
const text = z.string().optional();
const judgeOptionsSchema = z.object({
  alpha: number,
  margin: number,
  samples: number,
  effectFloor: number,
  whenInconclusive: text,
  inconclusiveLooks: number,
  outcomes: text,
  predictions: text,
  metrics: text,
});
type JudgeFlag = keyof typeof JUDGE_FLAGS;
const FLAGS = judgeOptionsSchema.keyof().options;
const NUMBERS: readonly JudgeFlag[] = ["alpha", "margin", "samples", "effectFloor", "inconclusiveLooks"];

/** A command as far as it takes flags; with its whole type, each flag would be one more for the compiler to infer. */
interface TakesFlags {
  addOption(option: Option): unknown;
}

/** `judgeSettingsOf` finds their values among the command's options. */
export function addJudgeFlags(command: TakesFlags, names: readonly JudgeFlag[] = FLAGS): void {
  for (const name of names) {
    const [flags, description] = JUDGE_FLAGS[name];
    const option: Option = new Option<string>(flags, description);
    if (NUMBERS.includes(name)) option.argParser(plainNumber);
    command.addOption(option);
  }
}

/**
 * Only the settings that the command names. Numbers out of range are refused later, by the name of their setting.
 * @throws InvalidRequestError
 */
export function judgeSettingsOf(options: object): AskedJudgeSettings {
  const given = judgeOptionsSchema.parse(options);
  const { alpha, margin, samples, effectFloor, whenInconclusive, inconclusiveLooks } = given;
  const { outcomes, predictions, metrics } = given;
  return {
    ...(alpha === undefined ? {} : { alpha }),
    ...(margin === undefined ? {} : { margin }),
    ...(samples === undefined ? {} : { minimum_samples: samples }),
    ...(effectFloor === undefined ? {} : { effect_floor: effectFloor }),
    ...(whenInconclusive === undefined ? {} : { when_inconclusive: outcomeOf(whenInconclusive) }),
    ...(inconclusiveLooks === undefined ? {} : { maximum_inconclusive_looks: inconclusiveLooks }),
    ...(predictions === undefined ? {} : { predictions: predictionSettingsOf(predictions) }),
    ...(metrics === undefined ? {} : { metrics: metricsSettingsIn(metrics) }),
    ...(outcomes === undefined ? {} : { outcomes: outcomeSettingsOf(outcomes) }),
  };
}

function outcomeOf(given: string): AskedJudgeSettings["when_inconclusive"] {
  const known = judgeSettingsSchema.shape.when_inconclusive.safeParse(given);
  if (known.success) return known.data;
  throw new InvalidRequestError(`--when-inconclusive ${given}: name roll_back, pause or hold.`);
}

function predictionSettingsOf(given: string): PredictionSettings | null {
  if (given === "none") return null;
  const maximum_shift = given === "tell" ? null : numberIn(given);
  const known = predictionSettingsSchema.safeParse({ maximum_shift });
  if (known.success) return known.data;
  throw new InvalidRequestError(`--predictions ${given}: name a share from 0.01 to 1, or tell, or none.`);
}

function metricsSettingsIn(file: string): NonNullable<AskedJudgeSettings["metrics"]> {
  if (file === "none") return {};
  let content: unknown;
  try {
    content = parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new InvalidRequestError(`--metrics ${file} cannot be read as YAML or JSON.`, { cause });
  }
  const named = z.record(z.string(), z.looseObject({})).safeParse(content);
  const each = Object.entries(named.data ?? {}).map(([name, one]) => [
    name,
    { ...usualMetricSettings, ...one },
  ]);
  const known = metricsSettingsSchema.safeParse(named.success ? Object.fromEntries(each) : content);
  if (known.success) return known.data;
  throw new InvalidRequestError(`--metrics ${file}: ${z.prettifyError(known.error)}`, { cause: known.error });
}

const OUTCOME_NUMBERS: Record<string, string> = {
  minimum: "minimum_outcomes",
  worse_by: "worse_by",
  margin: "margin",
  sample: "sample",
};

function outcomeSettingsOf(given: string): OutcomeSettings | null {
  if (given === "none") return null;
  const [measure, ...others] = given.split(",");
  const numbers = others.map((part): [string, number] => {
    const [name = "", value = ""] = part.split("=");
    return [OUTCOME_NUMBERS[name] ?? name, numberIn(value)];
  });
  const twice = numbers.find(([name], index) => numbers.findIndex(([other]) => other === name) < index);
  if (twice !== undefined) throw new InvalidRequestError(`--outcomes ${given}: ${twice[0]} is named twice.`);
  const named: Record<string, number> = Object.fromEntries(numbers);
  const known = outcomeSettingsSchema.safeParse({ measure, ...usualOutcomeSettings, ...named });
  if (known.success) return known.data;
  const why = known.error.issues.map(({ path, message }) => [...path, message].join(": ")).join("; ");
  throw new InvalidRequestError(
    `--outcomes ${given}: ${why}. Write accuracy, brier, log_loss, absolute_error or none, and after a measure ,minimum=<count>,worse_by=<number>,margin=<number>,sample=<fraction>.`,
  );
}
