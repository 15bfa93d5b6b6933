/** A file of bench/suites exports one as `suite`; `npm run bench -- NAME` runs it. */
export interface Suite {
  readonly name: string;
  readonly summary: string;
  readonly experiments: readonly Experiment[];
}

/** Cases that are measured in the same rounds, and so can be compared. */
export interface Experiment {
  readonly name: string;
  readonly title: string;
  /** What exactly is measured, from where to where, and what is not: one paragraph for a reader of the figures. */
  readonly method: string;
  readonly measures: Measure[];
  readonly warmUp: number;
  readonly rounds: number;
  /** Prepares the cases, in namespaces that end with this process. */
  open(context: BenchContext): Promise<OpenExperiment>;
}

export interface Measure {
  /** Key of Case.measure()'s answer. */
  readonly key: string;
  readonly title: string;
  readonly unit: 'ms' | 's' | 'MB';
}

export interface OpenExperiment {
  /** The first is the one that the others are peers of. */
  readonly cases: readonly Case[];
  readonly absent: AbsentPeer[];
  close(): Promise<void>;
}

export interface Case {
  readonly name: string;
  /** One sample of each measure that it has. A throw ends the benchmark: a failure is no figure. */
  measure(): Promise<Readonly<Record<string, number>>>;
}

/** A peer that is not on this machine, and what it needed where it was. */
export interface AbsentPeer {
  readonly name: string;
  readonly reason: string;
  /** Minimum by measure, in the measure's unit. */
  readonly recordedMinimum: Record<string, number>;
}

export interface BenchContext {
  /** Static binary of bench/launcher. */
  readonly launcher: string;
  /** What there is to compare with, of one role. */
  readonly peers: (role: string) => readonly Peer[];
}

/** A file of bench/peers exports one as `peer`. */
export interface Peer {
  readonly name: string;
  /** What it can be compared in; the suites know their roles. */
  readonly role: string;
  /** Undefined if it is not on this machine. */
  locate(): Promise<string | undefined>;
  /** What brings it. */
  readonly wayOut: string;
  /** What a suite needs to drive it; parsed by the suite. */
  readonly settings: unknown;
  readonly recordedMinimum: Record<string, number>;
}
