import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";

/** A number that rises this often while the page is seen, so that what is not in the live stream is asked again. */
export function useInterval(everyMs: number): number {
  const count = useSignal(0);
  useEffect(() => {
    const ticking = setInterval(() => {
      if (document.visibilityState === "visible") count.value += 1;
    }, everyMs);
    return () => clearInterval(ticking);
  }, [everyMs]);
  return count.value;
}
