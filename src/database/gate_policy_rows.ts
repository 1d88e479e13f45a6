import { randomUUID } from "node:crypto";
import {
  type GatePolicy,
  gatePolicySchema,
  type NewGatePolicy,
  STANDARD_GATE_POLICY,
} from "../agents/model_deployer/domain/models/gate_policy.ts";
import {
  defaultJudgeSettings,
  refuseJudgeSettings,
  settingsOver,
} from "../agents/model_deployer/domain/traffic/rollout_plan.ts";
import { type Signer, signerName } from "../agents/model_deployer/domain/models/signers.ts";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";
import { readPem } from "../platform/signing_keys.ts";

/**
 * The policy as it is stored, with the defaults for all that it leaves out. It is checked by the schema that reads it,
 * since a policy is never edited and an unreadable one would be in force for ever.
 * @throws InvalidRequestError
 */
export function newGatePolicy(policy: NewGatePolicy): GatePolicy {
  const usual = {
    during_rollout: policy.during_rollout ?? STANDARD_GATE_POLICY.during_rollout,
    maximum_shadow_disagreement: policy.maximum_shadow_disagreement ?? null,
    maximum_shadow_age_days: policy.maximum_shadow_age_days ?? STANDARD_GATE_POLICY.maximum_shadow_age_days,
    approvals_by_move: policy.approvals_by_move ?? {},
    approvals_for_unknown: policy.approvals_for_unknown ?? STANDARD_GATE_POLICY.approvals_for_unknown,
    judge: policy.judge ?? {},
    kept_rows: policy.kept_rows ?? null,
    formats: policy.formats ?? null,
    signers: policy.signers?.map(withFingerprint) ?? null,
    engines: policy.engines ?? {},
    vulnerabilities: policy.vulnerabilities
      ? { ...policy.vulnerabilities, accepted: policy.vulnerabilities.accepted ?? [] }
      : null,
  };
  const stored: GatePolicy = { ...policy, ...usual, policy_id: `policy_${randomUUID()}` };
  const problems = problemsOf(stored);
  if (problems.length === 0) return stored;
  throw new InvalidRequestError(`The gate policy is not valid: ${problems.join("; ")}.`, {
    details: { problems },
  });
}

function contradictions({ judge }: GatePolicy): string[] {
  const refusal = refuseJudgeSettings(settingsOver(defaultJudgeSettings, judge));
  return refusal === null ? [] : [refusal.replace(/\.$/, "")];
}

type NewSigner = NonNullable<NewGatePolicy["signers"]>[number];

const pemOf = (signer: NewSigner): string | null =>
  signer.kind === "key" ? signer.public_key : signer.kind === "certificate" ? signer.certificates : null;

function withFingerprint(signer: NewSigner): Signer {
  if (signer.kind === "identity") return signer;
  const read = readPem(pemOf(signer) ?? "");
  const { fingerprint: given = "" } = signer;
  return { ...signer, fingerprint: given === "" && read.kind === signer.kind ? read.fingerprint : given };
}

/** Keys and certificates that could verify nothing, and signers that could not be told apart. */
function unusableSigners({ signers }: GatePolicy): string[] {
  const names = (signers ?? []).map(signerName);
  const twice = names.filter((name, index) => names.indexOf(name) < index);
  return [
    ...(signers ?? []).flatMap((signer, index) => unusablePem(signer, `signers.${index}`)),
    ...twice.map((name) => `signers: ${name} is the name of two`),
  ];
}

function unusablePem(signer: Signer, where: string): string[] {
  const pem = pemOf(signer);
  if (pem === null || signer.kind === "identity") return [];
  const read = readPem(pem);
  if (read.kind === "unusable") return [`${where}: ${signer.name} ${read.why}`];
  if (read.kind !== signer.kind) return [`${where}: ${signer.name} is no ${signer.kind}, but a ${read.kind}`];
  if (read.fingerprint === signer.fingerprint) return [];
  return [`${where}: ${signer.name} has the fingerprint ${read.fingerprint} (given ${signer.fingerprint})`];
}

const SHORTEST_SHADOW_HOURS = 24;

/** A sentence for each wrong field, with the value that was given. */
function problemsOf(policy: GatePolicy): string[] {
  const wrong = (gatePolicySchema.safeParse(policy).error?.issues ?? []).map(({ path, message }) => {
    const given = path.reduce<unknown>(
      (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
      policy,
    );
    return `${path.join(".")}: ${message} (given ${String(given)})`;
  });
  const { kind, minimum_shadow_hours: hours, reason } = policy;
  const isShort = kind === "standard" && hours < SHORTEST_SHADOW_HOURS;
  return [
    ...wrong,
    ...(isShort
      ? [
          `minimum_shadow_hours: ${SHORTEST_SHADOW_HOURS} or more (given ${hours}); less in a demo installation alone, which \`model-deployer init --demo\` makes in another folder`,
        ]
      : []),
    ...contradictions(policy),
    ...unusableSigners(policy),
    ...(reason.trim() === "" ? ["reason: say why, for whoever reads the policy later"] : []),
  ];
}
