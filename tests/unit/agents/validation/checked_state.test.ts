import { Command, MemorySaver, Overwrite } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { AgentError } from "../../../../src/agents/base/agent_error.ts";
import { ModelDeployerAgent } from "../../../../src/agents/model_deployer/agent.ts";
import { createModelDeployerGraph } from "../../../../src/agents/model_deployer/graph.ts";
import { createPipelineGraph } from "../../../../src/pipeline/pipeline_graph.ts";

/** Both graphs over a deployer that may not be asked, each with threads of its own. */
function graphs() {
  const unasked = () => expect.fail("the deployer was asked");
  const checkpointer = () => new MemorySaver();
  const alone = createModelDeployerGraph(unasked, { checkpointer: checkpointer() });
  const below = new ModelDeployerAgent(createModelDeployerGraph(unasked));
  return { model_deployer: alone, pipeline: createPipelineGraph(below, { checkpointer: checkpointer() }) };
}

type GraphName = keyof ReturnType<typeof graphs>;
const onThread = { configurable: { thread_id: "t" }, context: { effects: "live" } };

/** As a caller asks who is not held to the types. */
async function ask(graph: object, input: unknown): Promise<unknown> {
  const invoke: unknown = Reflect.get(graph, "invoke");
  return typeof invoke === "function" ? Reflect.apply(invoke, graph, [input, onThread]) : undefined;
}
const refusalOf = async (graph: object, input: unknown) => {
  const error = await ask(graph, input).then(
    () => expect.fail("it was taken"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof AgentError) return error;
  return expect.fail(`it ended untyped: ${String(error)}`);
};

const failure = {
  agent_name: "trainer",
  code: "late",
  message: "the training is late",
  retryable: true,
  details: {},
  occurred_at: "2026-03-01T12:00:00.000Z",
};
const names: GraphName[] = ["model_deployer", "pipeline"];
const malformed: [string, Record<string, unknown>, string][] = [
  [
    "text for errors",
    { errors: "all is lost" },
    'errors: Invalid input: expected array, received string (given "all',
  ],
  ["a number for errors", { errors: 7 }, "errors: Invalid input: expected array, received number (given 7)"],
  ["null for errors", { errors: null }, "errors: Invalid input: expected array, received null (given null)"],
  ["an error that is text", { errors: ["late"] }, "errors.0: Invalid input: expected object"],
  ["an error without a code", { errors: [{ ...failure, code: undefined }] }, "errors.0.code"],
  [
    "text for warnings",
    { warnings: "mind the gap" },
    "warnings: Invalid input: expected array, received string",
  ],
  ["null for warnings", { warnings: null }, "warnings: Invalid input: expected array, received null"],
  ["a warning that is a number", { warnings: ["mind", 7] }, "warnings.1: Invalid input: expected string"],
  ["warnings that are put over the others", { warnings: new Overwrite("x") }, "warnings: Invalid input"],
  ["spans of another kind", { spans: [{ status: "failed" }] }, "spans.0.span_id"],
  ["a manifest that is none", { deployment_manifest: "http://here" }, "deployment_manifest: Invalid input"],
];
const each = names.flatMap((name) => malformed.map((one) => [name, ...one] as const));

test.each(each)("%s refuses %s by a typed error, and asks nobody", async (name, _what, wrong, told) => {
  const error = await refusalOf(graphs()[name], { deployment_action: "promote", ...wrong });
  expect(error).toMatchObject({ code: "invalid_request", retryable: false });
  expect(error.message).toContain(told);
});

test.each(names)("%s refuses a state that is none or cannot be read", async (name) => {
  const graph = graphs()[name];
  const raising = Object.defineProperty({}, "errors", {
    enumerable: true,
    get: () => expect.fail("no such luck"),
  });
  for (const [input, told] of [
    ["deploy it", 'The state is "deploy it"'],
    [7, "The state is 7"],
    [[], "The state is []"],
    [raising, "The state cannot be read: no such luck"],
    [{ experiment_id: raising }, "The state cannot be read: no such luck"],
  ] as const) {
    const error = await refusalOf(graph, input);
    expect(error).toMatchObject({ code: "invalid_request" });
    expect(error.message).toContain(told);
  }
});

test.each(names)("a thread of %s that is handed something malformed stands where it stood", async (name) => {
  const graph = graphs()[name];
  await graph.updateState(onThread, { errors: [failure], warnings: ["mind the gap"] });
  const before = await graph.getState(onThread);
  await refusalOf(graph, { deployment_action: "promote", errors: "all is lost" });
  await refusalOf(graph, new Command({ update: { warnings: 7 } }));
  const after = await graph.getState(onThread);
  expect(after.values).toMatchObject({ errors: [failure], warnings: ["mind the gap"] });
  expect(after.config).toEqual(before.config);
});

test.each(names)("%s takes errors and warnings that others have left", async (name) => {
  const input = { deployment_action: "explode", errors: [failure], warnings: ["mind the gap"] };
  const answer = await ask(graphs()[name], input).catch((error: unknown) => error);
  if (name === "model_deployer") expect(answer).toMatchObject({ code: "invalid_deployment_action" });
  else expect(answer).toMatchObject({ errors: [failure, { code: "invalid_deployment_action" }] });
});
