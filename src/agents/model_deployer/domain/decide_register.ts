import { type Answer, versionAnswer } from "./answer.ts";
import type { ChangeOf } from "./changes.ts";
import { missing, planned, propose, refuse } from "./decisions.ts";
import type { Experiment, Metrics, ModelVersion } from "./entities.ts";
import { featureShift, featureShiftNotes } from "./feature_shift.ts";
import { experimentName, modelVersionId } from "./names.ts";
import { projectStage, remember } from "./outbox_entries.ts";
import type { Decision } from "./plan.ts";
import type { DecisionContext, RegisterRequest } from "./requests.ts";

interface Run {
  run_id: string;
  status: "running" | "finished" | "failed";
  metrics: Metrics;
  unusable_metrics: string[];
  algorithm: string | null;
}

export interface RegisterFacts {
  experiment: Experiment | null;
  /** Null when nobody asked for it, because the other facts decide already. */
  run: Run | null;
  /** The version that this run was registered as before. */
  registered_before: ModelVersion | null;
  /** The version that the trainer has registered already, where the request names one. */
  given_version: { model_name: string; version: number; source: string; run_id: string } | null;
  /** The version that is at production now, for its features to be compared with. */
  production: ModelVersion | null;
}

function alreadyRegistered(version: ModelVersion): Decision {
  const note = `Run ${version.mlflow_run_id} is registered already, as ${version.model_name} version ${version.version}.`;
  return propose({
    summary: note,
    lease_name: `version/${version.model_version_id}`,
    draft: registrationAnswer(version, "already registered", [note]),
  });
}

function registrationAnswer(version: ModelVersion, reason: string, notes: string[]): Answer {
  const move = {
    current_stage: version.stage,
    promoted_by: "model_deployer",
    promoted_at: version.registered_at,
    promotion_reason: reason,
  };
  return versionAnswer(version, move, notes);
}

/** What a step can tell only when it is done: the registry's version number, and the digest of the artifact's files. */
const UNKNOWN_VERSION = 1;
const UNKNOWN_DIGEST = "";

export function decideRegister(
  request: RegisterRequest,
  facts: RegisterFacts,
  context: DecisionContext,
): Decision {
  if (facts.experiment === null) {
    const wayOut = "create it with its success criteria before a model is registered for it";
    return missing("Experiment", request.experiment_id, wayOut);
  }
  if (facts.registered_before !== null) return alreadyRegistered(facts.registered_before);
  const { run, given_version: given } = facts;
  if (run === null) return missing("Run", request.mlflow_run_id, "name a run that the registry knows");
  if (run.status !== "finished") {
    return refuse(
      "invalid_request",
      `Run ${run.run_id} is ${run.status}; only a finished run can be registered.`,
    );
  }
  if (given !== null && given.run_id !== run.run_id) {
    const owner = `${given.model_name} version ${given.version} belongs to run ${given.run_id}`;
    return refuse("invalid_request", `${owner}, not to ${run.run_id}.`);
  }
  const version = newVersion(request, run, given, context);
  return planRegistration(version, facts, run, context);
}

type GivenVersion = RegisterFacts["given_version"];

function newVersion(
  request: RegisterRequest,
  run: Run,
  given: GivenVersion,
  context: DecisionContext,
): ModelVersion {
  return {
    model_version_id: modelVersionId(context.operation_id),
    experiment_id: request.experiment_id,
    model_name: given?.model_name ?? request.mlflow_model_name ?? experimentName(request.experiment_id),
    version: given?.version ?? UNKNOWN_VERSION,
    mlflow_run_id: run.run_id,
    model_artifact_uri: request.model_artifact_uri ?? given?.source ?? `runs:/${run.run_id}/model`,
    preprocessing_artifact_uri: request.preprocessing_artifact_uri,
    artifact_digest: UNKNOWN_DIGEST,
    preprocessing_digest: null,
    metrics: run.metrics,
    shap_evidence: request.shap_evidence,
    stage: "development",
    stage_revision: 0,
    registered_at: context.now,
    promoted_at: null,
  };
}

function planRegistration(
  version: ModelVersion,
  { given_version: given, production }: RegisterFacts,
  run: Run,
  context: DecisionContext,
): Decision {
  const { experiment_id, model_name, mlflow_run_id, model_artifact_uri } = version;
  const oneRegistration = `run/${experiment_id}/${mlflow_run_id}`;
  const register = planned({
    step: "register_in_registry",
    experiment_id,
    model_name,
    mlflow_run_id,
    source: model_artifact_uri,
    request_key: oneRegistration,
  });
  const unusable = run.unusable_metrics.map(
    (name) => `Metric ${name} of the run is not a finite number and was left out.`,
  );
  const notes = [...unusable, ...featureShiftNotes(featureShift(version, production))];
  return propose({
    summary: `Register run ${run.run_id} as a version of ${model_name}, pinned to the digest of its files.`,
    lease_name: oneRegistration,
    steps: [
      planned({ step: "pin_artifact", artifact: "model", artifact_uri: model_artifact_uri }),
      ...(version.preprocessing_artifact_uri === null
        ? []
        : [pinPreprocessing(version.preprocessing_artifact_uri)]),
      ...(given === null ? [register] : []),
    ],
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
    draft: registrationAnswer(version, "registered", notes),
    notes,
  });
}

function pinPreprocessing(artifactUri: string) {
  return planned({ step: "pin_artifact", artifact: "preprocessing", artifact_uri: artifactUri });
}

/** Puts what the steps found into the row and the answer. */
export function completeRegistration(
  insert: ChangeOf<"insert_model_version">,
  draft: Answer,
  found: { version: number | null; digest: string | null; preprocessing_digest: string | null },
): { insert: ChangeOf<"insert_model_version">; answer: Answer } {
  const version = found.version ?? insert.model_version.version;
  const modelVersion = {
    ...insert.model_version,
    version,
    artifact_digest: found.digest ?? insert.model_version.artifact_digest,
    preprocessing_digest: found.preprocessing_digest,
  };
  const record = draft.version_record;
  return {
    insert: { ...insert, model_version: modelVersion },
    answer: { ...draft, version_record: record === null ? null : { ...record, version } },
  };
}
