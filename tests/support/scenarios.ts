import { expect, test } from "vitest";
import { Story, type StoryTeller } from "./given/given_story.ts";

/** The life of a new model, as its team would tell it. */
export function describeScenarios(tell: () => Promise<StoryTeller>): void {
  describeNewModels(tell);
  describePausedRollouts(tell);
  describeEndedRollouts(tell);
}

/** From the shadow to all traffic, or back. */
function describeNewModels(tell: () => Promise<StoryTeller>): void {
  test("a new model earns production: a day in shadow, an approval, and a rollout that is watched", async () => {
    const story = await Story.withAModelInProduction(await tell());
    await story.givenANewModelInShadow();
    await story.givenLiveTraffic(400);

    await story.whenHoursPass(23);
    const early = await story.whenProductionIsAskedForTooEarly();
    expect(early.unmet).toEqual(["shadow_hours", "shadow_requests"]);
    expect(early.told).toContain("It has been in shadow for 23.00 h and needs 24.00 h");
    expect(early.told).toContain("The shadow has answered 400 mirrored requests and needs 1000");

    await story.givenLiveTraffic(600);
    await story.whenHoursPass(1);
    await story.whenProductionIsAskedFor();
    expect(await story.stageOfTheNewModel()).toBe("shadow");
    expect(await story.whenSomebodyElseApproves()).toBe("shadow > production");
    expect(await story.traffic()).toEqual({ old: 100, new: 0 });

    const manifest = await story.whenItIsRolledOut(10, 50, 100);
    expect(manifest).toMatchObject({ status: "deploying", rollout: { status: "running", step_index: 0 } });
    expect(await story.traffic()).toEqual({ old: 90, new: 10 });
    await story.whenTheWorkerLooksAfter(600);
    expect(await story.traffic()).toEqual({ old: 50, new: 50 });
    await story.whenTheWorkerLooksAfter(600);
    expect(await story.traffic()).toEqual({ old: 0, new: 100 });
    expect(await story.stageOfTheNewModel()).toBe("production");
  });

  test("a new model that fails its callers is sent back by the judge, and the history says with what numbers", async () => {
    const story = await Story.withAModelInProduction(await tell());
    await story.givenANewModelInShadow();
    await story.givenLiveTraffic(1000);
    await story.whenHoursPass(24);
    await story.whenProductionIsAskedFor();
    await story.whenSomebodyElseApproves();
    await story.whenItIsRolledOut(10, 100);

    await story.whenTheWorkerLooksAfter(20, 0.5);
    expect(await story.traffic()).toEqual({ old: 90, new: 10 });
    await story.whenTheWorkerLooksAfter(480, 0.5);
    expect(await story.traffic()).toEqual({ old: 100, new: 0 });
    expect(await story.stageOfTheNewModel()).toBe("archived");
    const history = await story.historyOfTheNewModel();
    expect(history.at(-1)).toMatch(/^production > archived: .*candidate failed 25 of 50 \(50\.00 %\)/);
  });
}

/** By a person, or for want of traffic to judge by. */
function describePausedRollouts(tell: () => Promise<StoryTeller>): void {
  test("a paused rollout takes no step and is guarded all the same; resumed, it goes on", async () => {
    const story = await Story.withAModelInProduction(await tell());
    await story.givenANewModelInProduction();
    await story.whenItIsRolledOut(10, 50, 100);

    await story.whenSomebodyAsksTo("pause");
    await story.whenTheWorkerLooksAfter(600);
    expect(await story.rollout()).toBe("paused by ana: please pause");
    expect(await story.traffic()).toEqual({ old: 90, new: 10 });
    await story.whenSomebodyAsksTo("resume");
    await story.whenTheWorkerLooksAfter(600);
    expect(await story.traffic()).toEqual({ old: 50, new: 50 });

    await story.whenSomebodyAsksTo("pause");
    await story.whenTheWorkerLooksAfter(400, 0.5);
    expect(await story.traffic()).toEqual({ old: 100, new: 0 });
    expect(await story.rollout()).toBe("rolled_back");
  });

  test("a rollout without enough traffic to judge by waits for a person, where it was told to", async () => {
    const story = await Story.withAModelInProduction(await tell());
    await story.givenANewModelInProduction();
    const judge = { when_inconclusive: "pause", maximum_inconclusive_looks: 4 } as const;
    await story.whenItIsJudgedAndRolledOut(judge, 10, 100);

    await story.whenTheWorkerLooksAfter(10);
    expect(await story.rollout()).toBe("running");
    await story.whenTheWorkerLooksAfter(10);
    expect(await story.rollout()).toMatch(/^paused by the judge: no verdict after 4 looks/);
    expect(await story.traffic()).toEqual({ old: 90, new: 10 });
  });
}

/** By a person's word, or by a newer model. */
function describeEndedRollouts(tell: () => Promise<StoryTeller>): void {
  test("an aborted rollout gives production back, and is retried through the gate, with an approval", async () => {
    const story = await Story.withAModelInProduction(await tell());
    await story.givenANewModelInProduction();
    await story.whenItIsRolledOut(10, 100);

    await story.whenSomebodyAsksTo("abort");
    expect(await story.traffic()).toEqual({ old: 100, new: 0 });
    expect(await story.stageOfTheNewModel()).toBe("archived");
    await story.whenSomebodyAsksWithApprovalTo("retry");
    expect(await story.rollout()).toBe("running");
    expect(await story.traffic()).toEqual({ old: 90, new: 10 });
    expect(await story.stageOfTheNewModel()).toBe("production");
  });

  test("all traffic at once needs an approval, and what got it is still watched: a share goes back to compare it, then all of it", async () => {
    const story = await Story.withAModelInProduction(await tell());
    await story.givenANewModelInProduction();
    await story.whenItIsRolledOut(10, 50, 100);

    await story.whenSomebodyAsksWithApprovalTo("promote_now");
    expect(await story.rollout()).toBe("completed");
    expect(await story.traffic()).toEqual({ old: 0, new: 100 });
    await story.whenTheWorkerLooksAfter(100, 1);
    expect(await story.rollout()).toBe("completed");
    expect(await story.traffic()).toEqual({ old: 50, new: 50 });
    await story.whenTheWorkerLooksAfter(100, 1);
    expect(await story.rollout()).toBe("rolled_back");
    expect(await story.traffic()).toEqual({ old: 100, new: 0 });
  });

  test("an even newer model waits for the rollout's end, or supersedes it where the policy says so", async () => {
    const story = await Story.withAModelInProduction(await tell());
    await story.givenANewModelInProduction();
    await story.whenItIsRolledOut(10, 100);

    await story.givenAnEvenNewerModelThatIsReady();
    expect(await story.whenTheEvenNewerModelAsksForProduction()).toContain("wait for its end");
    expect(await story.rollout()).toBe("running");
    await story.givenANewerModelMaySupersede();
    expect(await story.whenTheEvenNewerModelAsksForProduction()).toBeNull();
    expect(await story.rollout()).toBe("aborted");
    expect(await story.traffic()).toEqual({ old: 100, new: 0 });
    expect(await story.stageOfTheNewModel()).toBe("archived");
  });
}
