import { inSpan } from "../../../base/tracing.ts";
import type { DeploymentOrchestrator } from "../../effects/deployment_orchestrator.ts";
import type { Plan, Step, StepOf } from "../../domain/plan.ts";
import { typedFileError } from "../../file_errors.ts";
import type { LongCallOptions } from "../../ports/call_options.ts";
import type { ModelPackager, ServedOn } from "../../ports/model_packager_port.ts";

/**
 * The parts of a plan that may take long and touch no endpoint: fetching artifacts, building bentos, and making the
 * environments that servers run in. They are done before the plan's lease is taken, so that nobody waits behind them;
 * done twice they cost nothing, and the plan's steps find them done.
 */
export class Preparation {
  readonly #orchestrator: Pick<DeploymentOrchestrator, "package">;
  readonly #packager: ModelPackager;

  constructor(parts: { orchestrator: Pick<DeploymentOrchestrator, "package">; packager: ModelPackager }) {
    this.#orchestrator = parts.orchestrator;
    this.#packager = parts.packager;
  }

  async isNeeded(plan: Plan): Promise<boolean> {
    const needed = await Promise.all(servedIn(plan).map((one) => this.#isMissing(one, plan)));
    return needed.includes(true);
  }

  /** @throws the errors of packaging and of making an environment */
  async carryOut(plan: Plan, options: LongCallOptions): Promise<void> {
    await inSpan("prepare", {}, async () => {
      try {
        for (const step of stepsOf(plan).filter(isPackaging)) await this.#orchestrator.package(step, options);
        for (const { tag, on } of servedIn(plan)) {
          if (await this.#isMissing({ tag, on }, plan))
            await this.#packager.prepareServing(tag, { ...options, ...on });
        }
      } catch (error) {
        throw typedFileError(error);
      }
    });
  }

  /** A bento that is in no store and that no step packages is left to the server's own error. */
  async #isMissing({ tag, on }: Served, plan: Plan): Promise<boolean> {
    if ((await this.#packager.findPackage(tag)) !== null) return !(await this.#packager.isServable(tag, on));
    return stepsOf(plan).some((step) => isPackaging(step) && step.bento_tag === tag);
  }
}

const stepsOf = (plan: Plan): Step[] => plan.steps.map((step) => step.do);

const isPackaging = (step: Step): step is StepOf<"package_model"> => step.step === "package_model";

interface Served {
  tag: string;
  on: ServedOn;
}

/** All bentos that the plan starts, or packages only, each once with its engine. */
function servedIn(plan: Plan): Served[] {
  const steps = stepsOf(plan);
  const started = steps.flatMap((step): Served[] =>
    step.step === "start_server" ? [{ tag: step.bento_tag, on: onEngine(step) }] : [],
  );
  const packaged = steps.filter(isPackaging).map(({ bento_tag: tag }): Served => ({ tag, on: {} }));
  const others = packaged.filter(({ tag }) => !started.some((one) => one.tag === tag));
  const isFirst = ({ tag, on }: Served, index: number, all: Served[]) =>
    all.findIndex((one) => one.tag === tag && one.on.engine === on.engine) === index;
  return [...started, ...others].filter(isFirst);
}

const onEngine = ({ engine }: StepOf<"start_server">): ServedOn => (engine === undefined ? {} : { engine });
