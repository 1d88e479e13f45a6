import { RunnableLambda } from "@langchain/core/runnables";

/** A conditional edge that bears its name in a trace, where LangGraph would call each one `RunnableLambda`. */
export function branch<State, Next>(name: string, choose: (state: State) => Next) {
  return new RunnableLambda<State, Next>({ func: choose }).withConfig({ runName: name });
}
