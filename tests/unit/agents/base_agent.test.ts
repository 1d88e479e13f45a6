import { END, GraphInterrupt, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import { type AgentRun, type AgentUpdate, BaseAgent } from "../../../src/agents/base/base_agent.ts";

interface Input {
  wanted: unknown;
}
interface Update extends AgentUpdate {
  found?: unknown;
}
type Work = (input: Input, run: AgentRun) => Promise<Update>;

class BadWeather extends AgentError {
  readonly code = "bad_weather";
  readonly retryable = true;
}

class Scout extends BaseAgent<Input, Update> {
  readonly agent_name = "scout";
  readonly tier = 3;
  readonly tier_name = "outdoors";
  readonly agent_type = "standard";
  readonly sla_seconds: number;
  readonly #work: Work;

  constructor(work: Work, slaSeconds = 5) {
    super();
    this.#work = work;
    this.sla_seconds = slaSeconds;
  }

  protected pick(state: Record<string, unknown>): Input {
    return { wanted: state["wanted"] };
  }

  protected run(input: Input, run: AgentRun): Promise<Update> {
    return this.#work(input, run);
  }
}

const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => expect.fail("it went well"),
    (error: unknown) => error,
  );
const never = () => new Promise<never>(() => undefined);

test("an answer is what the agent found, with the spans of the run", async () => {
  const scout = new Scout(async ({ wanted }) => ({ status: "completed", found: wanted }));
  expect(await scout.execute({ wanted: 7 })).toEqual({ status: "completed", found: 7, spans: [] });
});

test("an agent that honours no deadline is given up when its SLA is over, by a typed error", async () => {
  const error = await errorOf(new Scout(never, 0.05).execute({ wanted: 1 }));
  expect(error).toMatchObject({ code: "deadline_exceeded", retryable: true });
  expect(error).toBeInstanceOf(AgentError);
});

test("the SLA is passed down as a signal, and so is the caller's", async () => {
  const seen: AbortSignal[] = [];
  const scout = new Scout(async (_input, { signal, config }) => {
    seen.push(signal, config.signal ?? expect.fail("no signal was passed down"));
    return {};
  });
  const caller = new AbortController();
  await scout.execute({ wanted: 1 }, { signal: caller.signal });
  expect(seen.map((signal) => signal.aborted)).toEqual([false, false]);
  caller.abort();
  expect(seen.map((signal) => signal.aborted)).toEqual([true, true]);
});

test("what no agent has typed comes out typed, with its cause", async () => {
  const cause = new TypeError("x is undefined");
  const scout = new Scout(() => Promise.reject(cause));
  const message = "scout failed: x is undefined";
  expect(await errorOf(scout.execute({ wanted: 1 }))).toMatchObject({ code: "unexpected", message, cause });
});

test("typed errors come out as they are", async () => {
  const thrown = new BadWeather("rain", { details: { millimetres: 3 } });
  expect(await errorOf(new Scout(() => Promise.reject(thrown)).execute({ wanted: 1 }))).toBe(thrown);
});

test("an interrupt passes through execute and through the node, untouched", async () => {
  const interrupt = new GraphInterrupt([{ id: "1", value: "may I?" }]);
  const scout = new Scout(() => Promise.reject(interrupt));
  expect(await errorOf(scout.execute({ wanted: 1 }))).toBe(interrupt);
  expect(await errorOf(scout.asNode()({ wanted: 1 }, {}))).toBe(interrupt);
});

test("as a node it picks its own fields and gives its update", async () => {
  const scout = new Scout(async ({ wanted }) => ({ status: "completed", found: wanted }));
  const update = await scout.asNode()({ wanted: "fox", foreign: 1 }, {});
  expect(update).toEqual({ status: "completed", found: "fox", spans: [] });
});

test("as a node a failure becomes an entry in the state, so that the pipeline goes on with the truth", async () => {
  const thrown = new BadWeather("rain", { details: { millimetres: 3 } });
  const update = await new Scout(() => Promise.reject(thrown)).asNode()({}, {});
  expect(update).toMatchObject({
    status: "failed",
    errors: [
      {
        agent_name: "scout",
        code: "bad_weather",
        message: "rain",
        retryable: true,
        details: { millimetres: 3 },
      },
    ],
  });
});

test("an agent past its SLA shows where it stood: its open spans end as timeouts", async () => {
  const graph = new StateGraph({ state: new StateSchema({}) })
    .addNode("wait", never)
    .addEdge(START, "wait")
    .addEdge("wait", END)
    .compile({ name: "waiting" });
  const scout = new Scout(async (_input, { config }) => {
    const { signal: _signal, ...unlimited } = config;
    await graph.invoke({}, unlimited);
    return {};
  }, 0.2);
  const { spans } = await scout.asNode()({}, {});
  expect(spans.map((span) => [span.operation, span.status, span.error_type])).toEqual([
    ["wait", "timeout", "SlaExceededError"],
    ["waiting", "timeout", "SlaExceededError"],
  ]);
});

test("as a node an agent past its SLA, or one that throws anything, fails in the state too", async () => {
  const late = await new Scout(never, 0.05).asNode()({}, {});
  expect(late).toMatchObject({ status: "failed", errors: [{ code: "deadline_exceeded" }] });
  const broken = await new Scout(() => Promise.reject(new RangeError("oh"))).asNode()({}, {});
  expect(broken).toMatchObject({ status: "failed", errors: [{ code: "unexpected" }] });
});
