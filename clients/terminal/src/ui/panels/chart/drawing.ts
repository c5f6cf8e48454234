/** The chart as an object with verbs; the only file that draws with the library. */
import {
  CandlestickSeries,
  createChart,
  HistogramSeries,
  LineStyle,
  type CandlestickData,
  type HistogramData,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Candle, Instrument, Order } from "../../../domain/types.js";
import { decimalsOf } from "../../../money/decimal.js";
import { exact, fixed } from "../../../money/format.js";
import { BAR_SPACING, BAR_SPACING_MAX, chartOptions, RIGHT_OFFSET, YOUNG_WIDTH, type Palette } from "./options.js";

/** Points of a chart may be numbers: they are looked at and nothing is computed with them. */
const timeOf = (candle: Candle): UTCTimestamp => (candle.openTime / 1000) as UTCTimestamp;

export class Drawing {
  readonly #chart: IChartApi;
  readonly #candles: ISeriesApi<"Candlestick">;
  readonly #volumes: ISeriesApi<"Histogram">;
  #lines: IPriceLine[] = [];
  #colours: Palette;
  #history: readonly Candle[] = [];
  readonly #byTime = new Map<number, Candle>();
  readonly #sizes: ResizeObserver;
  #width = 0;

  constructor(container: HTMLElement, colours: Palette) {
    this.#colours = colours;
    this.#chart = createChart(container, chartOptions(colours));
    this.#candles = this.#chart.addSeries(CandlestickSeries, { priceLineStyle: LineStyle.Dotted });
    this.#volumes = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: "",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.#candles.priceScale().applyOptions({ scaleMargins: { top: 0.14, bottom: 0.2 } });
    this.paint(colours);
    this.#sizes = new ResizeObserver(([entry]) => {
      const width = entry?.contentRect.width ?? 0;
      // Without any width, as in a view that is not shown, the library squeezes the candles together.
      if (this.#width === 0 && width > 0) this.#fit();
      this.#width = width;
    });
    this.#sizes.observe(container);
  }

  /** Takes other colours. */
  paint(colours: Palette): void {
    this.#colours = colours;
    this.#chart.applyOptions(chartOptions(colours));
    this.#candles.applyOptions({
      // Rising candles are pale inside: the direction does not hang on the colour alone.
      upColor: colours.volumeUp,
      // The last price stands in white on the newest candle's colour.
      downColor: colours.sellSolid,
      borderUpColor: colours.buy,
      borderDownColor: colours.sell,
      wickUpColor: colours.buy,
      wickDownColor: colours.sell,
    });
    this.#volumes.setData(this.#history.map((candle) => this.#volume(candle)));
  }

  setInstrument(instrument: Instrument): void {
    const decimals = decimalsOf(instrument.tickSize);
    this.#candles.applyOptions({
      priceFormat: {
        type: "custom",
        minMove: Number(instrument.tickSize),
        formatter: (value: number) => (value < 0 ? "" : fixed(value.toFixed(decimals), decimals)),
      },
    });
  }

  setHistory(candles: readonly Candle[]): void {
    this.#history = candles;
    this.#byTime.clear();
    for (const candle of candles) this.#byTime.set(timeOf(candle), candle);
    this.#candles.setData(candles.map(pointOf));
    this.#volumes.setData(candles.map((candle) => this.#volume(candle)));
    this.#fit();
  }

  setNewest(candle: Candle): void {
    this.#byTime.set(timeOf(candle), candle);
    this.#candles.update(pointOf(candle));
    this.#volumes.update(this.#volume(candle));
  }

  /** Draws a line at the price of each of one's orders. */
  setOrders(orders: readonly Order[]): void {
    for (const line of this.#lines) this.#candles.removePriceLine(line);
    this.#lines = orders.flatMap((order) => {
      if (order.price === undefined) return [];
      const buys = order.side === "buy";
      return this.#candles.createPriceLine({
        price: Number(order.price),
        color: buys ? this.#colours.buy : this.#colours.sell,
        axisLabelColor: buys ? this.#colours.buySolid : this.#colours.sellSolid,
        axisLabelTextColor: "#ffffff",
        lineWidth: 1,
        lineStyle: LineStyle.Dashed,
        axisLabelVisible: true,
        title: `${buys ? "\u25b2 Buy" : "\u25bc Sell"} ${exact(order.leavesQuantity)}`,
      });
    });
  }

  /** Tells which candle the pointer is on; undefined when it is on none. */
  onPointer(tell: (candle: Candle | undefined) => void): void {
    this.#chart.subscribeCrosshairMove(({ time }) => {
      tell(time === undefined ? undefined : this.#byTime.get(time as number));
    });
  }

  remove(): void {
    this.#sizes.disconnect();
    this.#chart.remove();
  }

  /** Shows the newest candles in their usual width, or wider where there are few. */
  #fit(): void {
    const wide = Math.floor(YOUNG_WIDTH / Math.max(this.#history.length, 1));
    const barSpacing = Math.max(BAR_SPACING, Math.min(BAR_SPACING_MAX, wide));
    this.#chart.timeScale().applyOptions({ barSpacing, rightOffset: RIGHT_OFFSET });
    this.#chart.timeScale().scrollToPosition(RIGHT_OFFSET, false);
  }

  #volume(candle: Candle): HistogramData {
    const up = Number(candle.close) >= Number(candle.open);
    return {
      time: timeOf(candle),
      value: Number(candle.volume),
      color: up ? this.#colours.volumeUp : this.#colours.volumeDown,
    };
  }
}

function pointOf(candle: Candle): CandlestickData {
  return {
    time: timeOf(candle),
    open: Number(candle.open),
    high: Number(candle.high),
    low: Number(candle.low),
    close: Number(candle.close),
  };
}
