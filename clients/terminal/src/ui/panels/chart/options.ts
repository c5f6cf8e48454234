/** How the chart looks: the colours of the style sheet, local times, prices as the rest of the terminal shows them. */
import {
  CrosshairMode,
  LineStyle,
  TickMarkType,
  type ChartOptions,
  type DeepPartial,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { timeOfDay, dateAndTime } from "../../../money/format.js";

const FONT = '"Inter Variable", system-ui, sans-serif';

/** Width of a candle with its gap, in pixels, and room behind the newest, in candles. */
export const BAR_SPACING = 7;
/** A venue that is young has few candles: they are wider, up to this, so that they fill so many pixels. */
export const BAR_SPACING_MAX = 16;
export const YOUNG_WIDTH = 480;
export const RIGHT_OFFSET = 4;

export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly panel: string;
  readonly buy: string;
  readonly sell: string;
  /** Grounds of labels, on which white can be read. */
  readonly buySolid: string;
  readonly sellSolid: string;
  readonly volumeUp: string;
  readonly volumeDown: string;
  readonly accent: string;
}

/** Reads the colours of the style sheet, for light or dark. */
export function palette(dark: boolean): Palette {
  // What reads the colours may run before what sets them.
  document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    text: colour("text"),
    muted: colour("muted"),
    line: colour("grid"),
    panel: colour("panel"),
    buy: colour("buy"),
    sell: colour("sell"),
    buySolid: colour("buy-solid"),
    sellSolid: colour("sell-solid"),
    volumeUp: colour("volume-up"),
    volumeDown: colour("volume-down"),
    accent: colour("accent"),
  };
}

const millisecondsOf = (time: Time): number => (time as UTCTimestamp) * 1000;

function tickMark(time: Time, type: TickMarkType): string {
  const date = new Date(millisecondsOf(time));
  if (type === TickMarkType.Year) return String(date.getFullYear());
  if (type === TickMarkType.Month) return date.toLocaleDateString("en", { month: "short" });
  if (type === TickMarkType.DayOfMonth) return date.toLocaleDateString("en", { day: "numeric", month: "short" });
  return timeOfDay(date.getTime()).slice(0, 5);
}

export function chartOptions(colours: Palette): DeepPartial<ChartOptions> {
  return {
    autoSize: true,
    layout: {
      background: { color: colours.panel },
      textColor: colours.muted,
      fontFamily: FONT,
      fontSize: 11,
      // Said in words where the keys are explained: the logo would bring a style of its own, which the page forbids.
      attributionLogo: false,
    },
    grid: { vertLines: { color: colours.line }, horzLines: { color: colours.line } },
    crosshair: {
      mode: CrosshairMode.Normal,
      vertLine: { color: colours.muted, width: 1, style: LineStyle.Dashed, labelBackgroundColor: colours.accent },
      horzLine: { color: colours.muted, width: 1, style: LineStyle.Dashed, labelBackgroundColor: colours.accent },
    },
    rightPriceScale: { borderVisible: false },
    timeScale: {
      borderVisible: false,
      timeVisible: true,
      secondsVisible: false,
      rightOffset: RIGHT_OFFSET,
      barSpacing: BAR_SPACING,
      tickMarkFormatter: tickMark,
    },
    localization: { timeFormatter: (time: Time) => dateAndTime(millisecondsOf(time)).slice(0, 16) },
  };
}
