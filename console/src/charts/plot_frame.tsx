import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";

export interface Plot {
  /** Of the whole drawing, in CSS pixels. */
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

interface Props {
  /** The drawing in a sentence with its numbers: a screen reader has nothing else of it. */
  label: string;
  height: number;
  children: (plot: Plot) => ComponentChildren;
  onPoint?: (x: number | null) => void;
}

const MARGINS = { left: 52, right: 12, top: 12, bottom: 24 };

/** A drawing as wide as its place; told anew when that changes. */
export function PlotFrame({ label, height, children, onPoint }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  useEffect(() => {
    const { current } = box;
    if (current === null) return;
    const observer = new ResizeObserver(() => {
      width.value = current.clientWidth;
    });
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  const plot: Plot = {
    width: width.value,
    height,
    left: MARGINS.left,
    right: Math.max(MARGINS.left + 1, width.value - MARGINS.right),
    top: MARGINS.top,
    bottom: height - MARGINS.bottom,
  };
  const point = (event: PointerEvent) => onPoint?.(event.offsetX);
  return (
    <div class="plot" ref={box} style={{ height }}>
      {width.value > 0 && (
        <svg
          role="img"
          aria-label={label}
          width={width.value}
          height={height}
          onPointerMove={point}
          onPointerLeave={() => onPoint?.(null)}
        >
          {children(plot)}
        </svg>
      )}
    </div>
  );
}
