// One small trend. The only file that knows uPlot.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Point } from '../api/types';
import type { Columns } from '../data/history';
import { WINDOW_MS } from '../data/history';
import { drawnLimits, verticalRange } from './scale';

const HEIGHT_LEAST = 40;

/** The palette of the page, read once: a canvas knows no CSS variables. */
function inks(): { ink: string; ink2: string; hair: string } {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return { ink: of('--ink'), ink2: of('--ink2'), hair: of('--hair') };
}

/** Line of the mean, band from least to greatest, dashed limits; no colour: colour is kept for alarms. */
export class Trend {
  private readonly plot: uPlot;
  private readonly watcher: ResizeObserver;

  constructor(element: HTMLElement, point: Point, data: Columns, nowMs: number, format: (v: number) => string) {
    const limits = drawnLimits(point.limits);
    const { ink, ink2, hair } = inks();
    const font = '12px "Inter Variable", sans-serif';
    const hidden = { points: { show: false }, width: 0 };
    this.plot = new uPlot(
      {
        width: Math.max(60, element.clientWidth),
        height: Math.max(HEIGHT_LEAST, element.clientHeight),
        padding: [6, 2, 4, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, auto: false },
          y: { range: (u) => verticalRange(u.data[2] as Columns[2], u.data[1] as Columns[1], limits) },
        },
        axes: [
          { show: false },
          {
            size: 38,
            gap: 3,
            font,
            stroke: ink2,
            grid: { stroke: hair, width: 1 },
            ticks: { show: false },
            space: 22,
            values: (_u, splits) => splits.map((v) => format(v)),
          },
        ],
        series: [{}, hidden, hidden, { stroke: ink2, width: 1.25, points: { show: false } }],
        bands: [{ series: [1, 2], fill: hair }],
        hooks: { draw: [(u) => drawLimits(u, limits.map((l) => l.threshold), ink)] },
      },
      data,
      element,
    );
    this.show(data, nowMs);
    this.watcher = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width > 0) this.plot.setSize({ width, height: Math.max(HEIGHT_LEAST, height) });
    });
    this.watcher.observe(element);
  }

  /** Draw the window that ends at `nowMs`. */
  show(data: Columns, nowMs: number): void {
    this.plot.batch(() => {
      this.plot.setData(data, true);
      this.plot.setScale('x', { min: (nowMs - WINDOW_MS) / 1000, max: nowMs / 1000 });
    });
  }

  destroy(): void {
    this.watcher.disconnect();
    this.plot.destroy();
  }
}

function drawLimits(u: uPlot, thresholds: readonly number[], ink: string): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = ink;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const threshold of thresholds) {
    const y = Math.round(u.valToPos(threshold, 'y', true)) + 0.5;
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}
