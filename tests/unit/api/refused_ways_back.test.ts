import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { listen } from "../../../src/api/api_server.ts";
import { runCli } from "../../../src/cli/program.ts";
import { ConfigurationError } from "../../../src/errors.ts";
import { errorViewSchema } from "../../../src/service/report_schemas.ts";
import type { ModelDeployerRequest } from "../../../src/agents/model_deployer/state/state.ts";
import {
  act,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { ANAS_TOKEN, givenApi } from "../../support/given/given_api.ts";
import { caughtStreams } from "../../support/given/caught_streams.ts";

/** Ids of what a request could name; `second` serves. */
interface Named {
  first: string;
  second: string;
  served: string;
  never: string;
  foreign: string;
  staging: string;
}

const errorsSchema = z.object({ errors: z.array(z.looseObject({ code: z.string() })) });

interface Case {
  name: string;
  given: (named: Named) => Partial<ModelDeployerRequest>;
  code: string;
  says: RegExp;
  /** How many requests can still be made, by what is said. */
  next: number;
}

const REASON = "callers get nonsense";
const to = (rollback_to: string) => ({ endpoint_name: ENDPOINT, rollback_to });

const CASES: Case[] = [
  {
    name: "an unknown version",
    given: () => to("mv_nothing"),
    code: "not_found",
    says: /does not exist/,
    next: 1,
  },
  {
    name: "a version of another experiment",
    given: ({ foreign }) => to(foreign),
    code: "rollback_failed",
    says: /belongs to experiment relapse; it is no way back/,
    next: 1,
  },
  {
    name: "a deployment of another endpoint",
    given: ({ staging }) => to(staging),
    code: "rollback_failed",
    says: /belongs to endpoint e2i_remission_staging; it is no way back/,
    next: 1,
  },
  {
    name: "one that never served",
    given: ({ never }) => to(never),
    code: "rollback_failed",
    says: /has never served production on e2i_remission, so there is no way back to it/,
    next: 2,
  },
  {
    name: "one that serves already",
    given: ({ served }) => to(served),
    code: "conflict",
    says: /serves all traffic of e2i_remission already. Nothing was changed/,
    next: 1,
  },
  {
    name: "a bad deployment that serves no longer, where another one does",
    given: ({ first }) => ({ current_deployment_id: first, rollback_to: first }),
    code: "conflict",
    says: /serves nothing of e2i_remission now; deploy_\w+ \(\S+\) does. Nothing was changed/,
    next: 1,
  },
  { name: "an empty name", given: () => to(""), code: "invalid_request", says: /rollback_to/, next: 0 },
  {
    name: "no words of why one may serve again",
    given: ({ first }) => ({ ...to(first), condemned_because: "" }),
    code: "invalid_request",
    says: /condemned_because/,
    next: 0,
  },
];

async function givenEverywhere() {
  const { deployer, api, problem, unexpected } = await givenApi({
    runs: [1, 2, 3, 4, 5].map((number) => ({
      run_id: `run${number}`,
      metrics: { test_auc: 0.9 },
      algorithm: "sklearn",
      models: { model: { "model.bin": `weights of ${number}` } },
    })),
  });
  const named = await givenNamed(deployer);
  const listening = await listen(api, { host: "127.0.0.1", port: 0 });
  onTestFinished(() => listening.close());
  const environment = { MODEL_DEPLOYER_URL: listening.url, MODEL_DEPLOYER_TOKEN: ANAS_TOKEN };
  return { deployer, named, problem, unexpected, run: (words: string[]) => printed(words, environment) };
}

async function givenNamed(deployer: TestDeployer): Promise<Named> {
  const first = await inProduction(deployer, "run1");
  const second = await readyForProduction(deployer, "run2");
  await promoteWithApproval(deployer, second);
  const { deployment_id } = await deployAtOnce(deployer, second);
  const never = await readyForProduction(deployer, "run3");
  const tried = await register(deployer, "run4");
  await act(deployer, "promote", { model_version_id: tried, target_stage: "staging" });
  const staging = await deploy(deployer, tried, "staging");
  await deployer.database.experiments.create(
    {
      experiment_id: "relapse",
      experiment_name: "Relapse",
      prediction_target: "relapse",
      minimum_auc: 0.8,
      minimum_precision_at_k: null,
      maximum_fpr: null,
    },
    "ana",
  );
  const foreign = await act(deployer, "register", { experiment_id: "relapse", mlflow_run_id: "run5" });
  return {
    first: first.deployment,
    second: deployment_id,
    served: second,
    never,
    foreign: foreign.version_record?.model_version_id ?? "",
    staging: staging.deployment_id,
  };
}

async function printed(words: string[], environment: Record<string, string>) {
  const { streams, printed: said } = caughtStreams();
  streams.stdin.end();
  const nothingHere = async () => {
    throw new ConfigurationError("there is nothing on this machine");
  };
  await runCli([...words, "--json"], {
    streams,
    environment,
    signal: new AbortController().signal,
    openDeployer: nothingHere,
    openObserver: nothingHere,
  });
  return z.looseObject({ error: errorViewSchema }).parse(JSON.parse(said.out)).error;
}

/** As the command line says it. */
function wordsOf(asked: Partial<ModelDeployerRequest>): string[] {
  const { endpoint_name, current_deployment_id, rollback_to, condemned_because } = asked;
  return [
    ...["rollback", current_deployment_id ?? endpoint_name ?? ""],
    ...(rollback_to === undefined ? [] : ["--to", rollback_to]),
    ...(condemned_because === undefined ? [] : ["--condemned-because", condemned_because]),
    ...["--reason", REASON],
  ];
}

test("a way back that there is not is refused alike by state, API and command line, and moves no traffic", async () => {
  const { deployer, named, problem, unexpected, run } = await givenEverywhere();
  for (const { name, given, code, says, next } of CASES) {
    const asked = { ...given(named), rollback_reason: REASON };
    const raised = await errorOf(act(deployer, "rollback", asked));
    const expected = { code, retryable: false };
    expect(raised, name).toMatchObject(expected);
    expect(raised.message, name).toMatch(says);
    expect(raised.next, name).toHaveLength(next);
    const answered = await problem("/v1/actions", { body: { deployment_action: "rollback", ...asked } });
    expect(answered, name).toMatchObject({ ...expected, detail: raised.message, next: raised.next });
    const told = await run(wordsOf(asked));
    expect(told, name).toMatchObject({ ...expected, message: raised.message, next: raised.next });
  }
  const endpoint = await deployer.database.endpoints.get(ENDPOINT);
  expect(endpoint?.weights).toEqual({ [named.second]: 100 });
  expect(unexpected).toEqual([]);
});

test("what makes sense later is told alike, with the instant from which on it does", async () => {
  const { deployer, named, problem, run } = await givenEverywhere();
  await promoteWithApproval(deployer, named.never);
  await deployAtOnce(deployer, named.never);
  const asked = { endpoint_name: ENDPOINT, rollback_reason: REASON };
  await act(deployer, "rollback", asked);
  const raised = await errorOf(act(deployer, "rollback", asked));
  const { next, not_before } = raised;
  expect(raised).toMatchObject({ code: "conflict", retryable: true, next: [{ action: "rollback" }] });
  expect(Date.parse(not_before ?? "") - Date.parse(await deployer.database.clock.now())).toBeGreaterThan(0);
  const body = { deployment_action: "rollback", ...asked };
  const told = { code: "conflict", retryable: true, next, not_before };
  expect(errorsSchema.parse(await deployer.agent.asNode()(body, {})).errors).toMatchObject([told]);
  expect(await problem("/v1/actions", { body })).toMatchObject(told);
  expect(await run(wordsOf(asked))).toMatchObject(told);
});

test("what a worker is refused is told alike to whoever asks for it later", async () => {
  const { deployer, named, problem } = await givenEverywhere();
  await promoteWithApproval(deployer, named.never);
  const body = {
    deployment_action: "deploy",
    model_version_id: named.never,
    target_stage: "production",
    request_id: "from-a-pipeline",
  } as const;
  const [shadow] = await deployer.database.deployments.listForVersion(named.never);
  deployer.packager.lose(shadow?.bento_tag ?? "");
  deployer.wire.fail("packager.packageModel", { times: 1 });
  const cut = await errorOf(deployer.agent.execute(body));
  expect(cut).toMatchObject({ code: "service_unavailable", retryable: true });
  await promoteWithApproval(deployer, named.never, "archived");
  const { resumed } = await deployer.worker.tick();
  const operation = await deployer.database.operations.get(resumed[0]?.operation_id ?? "");
  expect(operation).toMatchObject({ status: "refused", refusal: { code: "stage_mismatch" } });
  const next = operation?.refusal?.next ?? [];
  expect(next.map(({ action }) => action)).toContain("register");
  const told = { code: "stage_mismatch", retryable: false, next, not_before: null };
  expect(await errorOf(deployer.agent.execute(body))).toMatchObject(told);
  expect(await problem("/v1/actions", { body })).toMatchObject(told);
});
