import manifest from '../../package.json' with { type: 'json' };

/** What the bundler puts in place of names, as JavaScript expressions. */
export type Constants = Readonly<Record<string, string>>;

/** Of every program, unless it is built otherwise. */
export const RELEASE: Constants = {
  __BERTH_FAILPOINTS__: 'false',
  __BERTH_VERSION__: JSON.stringify(manifest.version),
};

/** Of the programs of crash tests, over those: runtime/system/failpoint.ts. */
export const WITH_FAILPOINTS: Constants = { __BERTH_FAILPOINTS__: 'true' };
