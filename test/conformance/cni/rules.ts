import type { Rule } from './rule.ts';
import { ADD_RULES } from './rules/add.ts';
import { CHECK_RULES } from './rules/check.ts';
import { CONCURRENCY_RULES } from './rules/concurrency.ts';
import { DEL_RULES } from './rules/del.ts';
import { ENVIRONMENT_RULES } from './rules/environment.ts';
import { GC_RULES } from './rules/gc.ts';
import { INPUT_RULES } from './rules/input.ts';
import { STATUS_RULES } from './rules/status.ts';
import { VERSION_RULES } from './rules/version.ts';

/** All of them, in the order in which they are looked at: what later ones lean on comes first. */
export const RULES: readonly Rule[] = [
  ...VERSION_RULES,
  ...ENVIRONMENT_RULES,
  ...INPUT_RULES,
  ...ADD_RULES,
  ...CHECK_RULES,
  ...DEL_RULES,
  ...STATUS_RULES,
  ...GC_RULES,
  ...CONCURRENCY_RULES,
];
