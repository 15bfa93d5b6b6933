/** The plugin did something that keeps a rule from being looked at any further. */
export class Problem extends Error {}
