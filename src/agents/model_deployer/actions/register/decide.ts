import { type Answer, versionAnswer } from "../../domain/answer.ts";
import { missing, planned, propose, refuse, refuseForNow } from "../../planning/decisions.ts";
import type { Experiment, ModelVersion } from "../../domain/entities.ts";
import { unmetSuccessCriteria } from "../promote/success_criteria.ts";
import { featureShift, featureShiftNotes } from "../../planning/comparisons/feature_shift.ts";
import { allowedFormats } from "../../domain/models/allowed_formats.ts";
import { allowedSigners } from "../../domain/models/signers.ts";
import { experimentName, modelVersionId } from "../../domain/values/names.ts";
import { projectStage, remember } from "../../planning/announcements/outbox_entries.ts";
import { creation } from "../../planning/ways_out/next_steps.ts";
import { withSignature } from "../../planning/comparisons/signature_comparison.ts";
import type { Decision, PlannedStep } from "../../domain/plan.ts";
import type { DecisionContext, RegisterRequest } from "../../domain/requests.ts";
import type { RegisterFacts, Run } from "./facts.ts";
import { filesToRegister } from "./files.ts";

function alreadyRegistered(version: ModelVersion): Decision {
  const note = `Run ${version.mlflow_run_id} is registered already, as ${version.model_name} version ${version.version}.`;
  return propose({
    summary: note,
    lease_name: `version/${version.model_version_id}`,
    draft: registrationAnswer(version, AGENT, "already registered", [note]),
  });
}

/** Stands for whoever registered a version before: its row does not say who that was. */
const AGENT = "model_deployer";

function registrationAnswer(
  version: ModelVersion,
  promoted_by: string,
  reason: string,
  notes: string[],
): Answer {
  const move = {
    current_stage: version.stage,
    promoted_by,
    promoted_at: version.registered_at,
    promotion_reason: reason,
  };
  return versionAnswer(version, move, notes);
}

/**
 * Stands for values that only the steps find out: the registry's version number, and the digest of the artifact's
 * files.
 */
const UNKNOWN_VERSION = 1;
const UNKNOWN_DIGEST = "";

export function decideRegister(
  request: RegisterRequest,
  facts: RegisterFacts,
  context: DecisionContext,
): Decision {
  if (facts.experiment === null) {
    const wayOut = "create it with its success criteria before a model is registered for it";
    return missing("Experiment", request.experiment_id, wayOut, [creation(request.experiment_id)]);
  }
  const { run, given_version: given, registered_before: before } = facts;
  if (before !== null && before.stage !== "archived") return alreadyRegistered(before);
  if (run === null) return missing("Run", request.mlflow_run_id, "name a run that the registry knows", []);
  if (run.status !== "finished") {
    const sentence = `Run ${run.run_id} is ${run.status}; only a finished run can be registered.`;
    return run.status === "running" ? refuseForNow(sentence) : refuse("invalid_request", sentence);
  }
  if (given !== null && given.run_id !== run.run_id) {
    const owner = `${given.model_name} version ${given.version} belongs to run ${given.run_id}`;
    return refuse("invalid_request", `${owner}, not to ${run.run_id}.`);
  }
  const version = newVersion(request, facts, run, context);
  return withSignature(planRegistration(version, facts, run, context), version, facts.production);
}

/** A follower is a version of the same files from the beginning of the lifecycle, for the earlier one is at its end. */
function newVersion(
  request: RegisterRequest,
  facts: RegisterFacts,
  run: Run,
  context: DecisionContext,
): ModelVersion {
  const { registered_before: before } = facts;
  const given = before === null ? facts.given_version : null;
  const named = given?.model_name ?? request.mlflow_model_name ?? before?.model_name;
  const { model, preprocessing } = filesToRegister(request, facts);
  return {
    model_version_id: modelVersionId(context.operation_id),
    experiment_id: request.experiment_id,
    model_name: named ?? experimentName(request.experiment_id),
    version: given?.version ?? UNKNOWN_VERSION,
    mlflow_run_id: run.run_id,
    model_artifact_uri: model,
    preprocessing_artifact_uri: preprocessing,
    artifact_digest: UNKNOWN_DIGEST,
    preprocessing_digest: null,
    metrics: run.metrics,
    shap_evidence: request.shap_evidence,
    signature: run.signature,
    loading: null,
    signed_by: null,
    stage: "development",
    stage_revision: 0,
    registered_at: context.now,
    promoted_at: null,
    earlier_version_id: before?.model_version_id ?? null,
  };
}

function planRegistration(
  version: ModelVersion,
  facts: RegisterFacts,
  run: Run,
  context: DecisionContext,
): Decision {
  const { given_version: given, registered_before: before } = facts;
  const { experiment_id, model_name, mlflow_run_id, model_artifact_uri, earlier_version_id } = version;
  const oneRegistration = registrationKey(version);
  const register = planned({
    step: "register_in_registry",
    experiment_id,
    model_name,
    mlflow_run_id,
    source: model_artifact_uri,
    request_key: oneRegistration,
    earlier_version_id,
  });
  const notes = notesOf(version, facts, run);
  return propose({
    summary: `Register run ${run.run_id} as a version of ${model_name}, pinned to the digest of its files.`,
    lease_name: oneRegistration,
    steps: [...pinned(version, facts), ...(given === null || before !== null ? [register] : [])],
    on_success: [
      { change: "insert_model_version", model_version: version, algorithm: run.algorithm },
      projectStage(context.operation_id, version.model_version_id),
      remember(context.operation_id, {
        event_subtype: "registration",
        description: `Registered run ${run.run_id} for ${version.experiment_id}`,
        experiment_id: version.experiment_id,
        endpoint_name: null,
        outcome_type: "success",
        raw_content: { model_version_id: version.model_version_id, model_name },
        occurred_at: context.now,
      }),
    ],
    draft: registrationAnswer(version, context.requested_by, "registered", notes),
    notes,
  });
}

/** One registration of a run at a time, and one follower of a version. */
function registrationKey({
  experiment_id,
  mlflow_run_id,
  earlier_version_id: earlier,
}: ModelVersion): string {
  return `run/${experiment_id}/${mlflow_run_id}${earlier === null ? "" : `/after/${earlier}`}`;
}

function notesOf(
  version: ModelVersion,
  { experiment, production, registered_before: before }: RegisterFacts,
  run: Run,
): string[] {
  return [
    ...earlierNotes(before),
    ...unusableNotes(run),
    ...criteriaNotes(experiment, run),
    ...unsignedNotes(version),
    ...featureShiftNotes(featureShift(version, production)),
  ];
}

/** Criteria of production that this run cannot meet: told now, and not after the shadow's day. */
function criteriaNotes(experiment: Experiment | null, { metrics }: Run): string[] {
  if (experiment === null) return [];
  const unmet = unmetSuccessCriteria(experiment, metrics);
  return unmet.map(({ sentence }) => `Production would refuse it: ${sentence}`);
}

function unusableNotes({ unusable_metrics }: Run): string[] {
  return unusable_metrics.map((name) => `Metric ${name} of the run is not a finite number and was left out.`);
}

function unsignedNotes({ signature, model_artifact_uri }: ModelVersion): string[] {
  if (signature !== null) return [];
  return [
    `The model at ${model_artifact_uri} has no signature, so nothing tells before its first request what callers have to send.`,
  ];
}

function earlierNotes(before: ModelVersion | null): string[] {
  if (before === null) return [];
  const { model_version_id: id, version, stage } = before;
  return [
    `${id} (version ${version}) of this run is ${stage}, which is its end: this is a new version of the same files, from the beginning of the lifecycle.`,
  ];
}

function pinned(
  { experiment_id, model_artifact_uri, preprocessing_artifact_uri }: ModelVersion,
  { policy }: RegisterFacts,
): PlannedStep[] {
  const allowed = allowedFormats(experiment_id, policy);
  const signers = allowedSigners(experiment_id, policy);
  const checks = { ...(allowed && { allowed }), ...(signers && { signers }) };
  const pin = (artifact: "model" | "preprocessing", artifact_uri: string) =>
    planned({ step: "pin_artifact", artifact, artifact_uri, ...checks });
  return [
    pin("model", model_artifact_uri),
    ...(preprocessing_artifact_uri === null ? [] : [pin("preprocessing", preprocessing_artifact_uri)]),
  ];
}
