import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";

const AT_FIRST = 20;
const EACH_FRAME = 20;

/** How much of a long list is drawn: what is seen at first, and then more with each frame, so that no frame waits for all. */
export function useGrowing(length: number): number {
  const drawn = useSignal(AT_FIRST);
  const isWhole = drawn.value >= length;
  useEffect(() => {
    if (isWhole) return;
    const frame = requestAnimationFrame(() => {
      drawn.value += EACH_FRAME;
    });
    return () => cancelAnimationFrame(frame);
  }, [drawn.value, isWhole]);
  return drawn.value;
}
