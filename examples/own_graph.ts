import { END, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { createLazyModelDeployer, ModelDeployerState, readConfiguration } from "model-deployer";

const deployer = createLazyModelDeployer(readConfiguration(process.env));

const graph = new StateGraph(new StateSchema({ ...ModelDeployerState.fields }))
  .addNode("trainer", () => ({ model_version_id: process.argv[2], target_stage: "staging" }))
  .addNode("model_deployer", deployer.agent.asNode(), { subgraphs: [deployer.graph] })
  .addEdge(START, "trainer")
  .addEdge("trainer", "model_deployer")
  .addEdge("model_deployer", END)
  .compile();

const { deployment_manifest, errors } = await graph.invoke({ deployment_action: "deploy" });
console.log(deployment_manifest?.endpoint_url ?? JSON.stringify(errors, null, 2));
await deployer.close();
