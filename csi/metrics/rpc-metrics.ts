import type { MetricFamily } from './exposition.ts';

/** Upper bounds of the buckets, in seconds: most verbs take milliseconds, a copy is asked about for a minute or two. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

interface Histogram {
  /** Of each bound alone, not cumulative. */
  readonly counts: number[];
  count: number;
  sumSeconds: number;
}

/** What the server did: each call by its verb and the name of its gRPC status. */
export class RpcMetrics {
  private readonly finished = new Map<string, { rpc: string; code: string; count: number }>();
  private readonly durations = new Map<string, Histogram>();
  private readonly inFlight = new Map<string, number>();

  /** Answers what to call at the end. */
  begin(rpc: string): (code: string, seconds: number) => void {
    this.inFlight.set(rpc, (this.inFlight.get(rpc) ?? 0) + 1);
    return (code, seconds) => {
      this.inFlight.set(rpc, (this.inFlight.get(rpc) ?? 0) - 1);
      this.count(rpc, code);
      this.observe(rpc, seconds);
    };
  }

  families(): MetricFamily[] {
    return [
      {
        name: 'berth_csi_rpc_total',
        type: 'counter',
        help: 'Finished calls by verb and gRPC status.',
        series: [...this.finished.values()].map(({ rpc, code, count }) => ({ labels: { rpc, code }, value: count })),
      },
      {
        name: 'berth_csi_rpc_in_flight',
        type: 'gauge',
        help: 'Calls that run.',
        series: [...this.inFlight].map(([rpc, value]) => ({ labels: { rpc }, value })),
      },
      {
        name: 'berth_csi_rpc_duration_seconds',
        type: 'histogram',
        help: 'Time from a request to its answer, by verb.',
        series: [...this.durations].flatMap(([rpc, histogram]) => toSeries(rpc, histogram)),
      },
    ];
  }

  private count(rpc: string, code: string): void {
    const key = `${rpc} ${code}`;
    const known = this.finished.get(key);
    if (known === undefined) this.finished.set(key, { rpc, code, count: 1 });
    else known.count += 1;
  }

  private observe(rpc: string, seconds: number): void {
    const histogram = this.durations.get(rpc) ?? { counts: BOUNDS.map(() => 0), count: 0, sumSeconds: 0 };
    this.durations.set(rpc, histogram);
    histogram.count += 1;
    histogram.sumSeconds += seconds;
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
  }
}

function toSeries(rpc: string, { counts, count, sumSeconds }: Histogram) {
  let below = 0;
  const buckets = BOUNDS.map((bound, index) => {
    below += counts[index] ?? 0;
    return { suffix: '_bucket', labels: { rpc, le: String(bound) }, value: below };
  });
  return [
    ...buckets,
    { suffix: '_bucket', labels: { rpc, le: '+Inf' }, value: count },
    { suffix: '_sum', labels: { rpc }, value: sumSeconds },
    { suffix: '_count', labels: { rpc }, value: count },
  ];
}
