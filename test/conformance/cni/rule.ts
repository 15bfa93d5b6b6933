import type { Subject } from './subject.ts';

/** `practice`: not in the specification, but what libcni's own plugins do and what engines lean on. */
export type Level = 'must' | 'should' | 'practice';

/** One thing that a plugin is held to. */
export interface Rule {
  /** Stays the same over versions of the suite: reports are compared by it. */
  readonly id: string;
  readonly level: Level;
  /** What holds, as a sentence. */
  readonly title: string;
  /** Where it is written. */
  readonly source: string;
  /** Default true: fails of a plugin that lists no version, of which nothing else could be said. */
  readonly needsVersions?: false;
  /** What is wrong, a sentence each; nothing: the rule holds. A Problem that is thrown is one more. */
  readonly check: (subject: Subject) => Promise<readonly string[] | NotApplicable>;
}

/** Why a rule says nothing about this plugin. */
export interface NotApplicable {
  readonly notApplicable: string;
}

export const notApplicable = (reason: string): NotApplicable => ({ notApplicable: reason });

export const SPEC = {
  config: 'CNI 1.1.0, section 1',
  parameters: 'CNI 1.1.0, section 2, Parameters',
  add: 'CNI 1.1.0, section 2, ADD',
  del: 'CNI 1.1.0, section 2, DEL',
  check: 'CNI 1.1.0, section 2, CHECK',
  status: 'CNI 1.1.0, section 2, STATUS',
  version: 'CNI 1.1.0, section 2, VERSION',
  gc: 'CNI 1.1.0, section 2, GC',
  lifecycle: 'CNI 1.1.0, section 3, Lifecycle & Ordering',
  success: 'CNI 1.1.0, section 5, ADD Success',
  error: 'CNI 1.1.0, section 5, Error',
  arguments: 'CNI CONVENTIONS.md, CNI_ARGS',
} as const;
